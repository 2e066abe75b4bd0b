//! What can be typed.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::civil::Date;

use crate::domain::drift::Population;
use crate::domain::flag::Organisation;
use crate::domain::region::Region;
use crate::domain::role::Role;
use crate::domain::sampling::Strategy;
use crate::fitting::STRENGTHS;

/// Tells how likely a video is synthetic or manipulated.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 some items failed.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// Configuration file; `jaga.toml` in the working directory when there is one.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the HTTP API.
    Serve(ServeArgs),
    /// Score files.
    Score(ScoreArgs),
    /// Score what a manifest names, with a line of JSON for each.
    Batch(BatchArgs),
    /// List, show, verify or import model bundles.
    Models(ModelsArgs),
    /// Make, list or revoke API keys.
    Keys(KeysArgs),
    /// Try a policy on stored reports.
    Policy(PolicyArgs),
    /// Check everything that a server needs; fails when something configured is unusable.
    Doctor,
    /// Measure parts of jaga on this machine.
    Bench(BenchArgs),
    /// Tell how good models are on labelled videos.
    Eval(EvalArgs),
    /// Compare the scores that a server gave lately with those of an evaluation.
    ///
    /// Reads the data directory, also while a server has it. Exit code 1 when a model's scores have
    /// drifted (a population stability index of 0.25 or more).
    Drift(DriftArgs),
    /// Count what was decided in a period, for the public.
    Transparency(TransparencyArgs),
    /// Look whether all that was decided is what it was.
    Audit(AuditArgs),
    /// Use what reviewers decided.
    Reviews(ReviewsArgs),
    /// Score stored reports again, by other models or another policy, from what was kept of them.
    Rescore(RescoreArgs),
    /// Fit a linear head and a calibration to labelled embeddings; writes a bundle.
    Fit(FitArgs),
    /// Fit a calibration for a model, or pick its threshold for a budget of false positives.
    Calibrate(CalibrateArgs),
}

/// `jaga serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address and port; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Ask for no API key; refused unless the address is a loopback one.
    #[arg(long)]
    pub no_auth: bool,
}

/// `jaga keys`
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// What to do with the keys.
    #[command(subcommand)]
    pub action: KeysAction,
}

/// Actions on API keys.
#[derive(Debug, Subcommand)]
pub enum KeysAction {
    /// Make a key and print it; it is not shown again.
    Create {
        /// What its holder may do: client, flagger, reviewer or admin.
        #[arg(long)]
        role: Role,
        /// For people: whose it is.
        #[arg(long, value_name = "N")]
        name: Option<String>,
        /// In whose name a flagger flags videos, such as election-body.
        #[arg(long, value_name = "ORG")]
        organisation: Option<Organisation>,
    },
    /// List the keys, without their secrets.
    List,
    /// Revoke a key for good.
    Revoke {
        /// The key's id: the 16 digits after `jaga_`.
        id: String,
    },
}

/// `jaga policy`
#[derive(Debug, Args)]
pub struct PolicyArgs {
    /// What to do with the policy.
    #[command(subcommand)]
    pub action: PolicyAction,
}

/// Actions on policies.
#[derive(Debug, Subcommand)]
pub enum PolicyAction {
    /// Decide stored reports anew, without looking at a video: how many go from which action to
    /// which.
    Test(PolicyTestArgs),
}

/// `jaga policy test`
#[derive(Debug, Args)]
pub struct PolicyTestArgs {
    /// Policy file; it is checked first.
    pub policy: PathBuf,
    /// Files of reports, one JSON object a line or as `jaga score` prints them; `-` is standard
    /// input.
    #[arg(required = true)]
    pub reports: Vec<PathBuf>,
    /// Decide as if all reports were of this day, such as `2026-11-24`; each one's own when absent.
    #[arg(long, value_name = "DATE")]
    pub on: Option<Date>,
    /// A question that models answer; can be given several times. With it, one that the policy asks
    /// and that isn't given is an error.
    #[arg(long = "question", value_name = "NAME")]
    pub questions: Vec<String>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = SheetFormat::Text)]
    pub format: SheetFormat,
}

/// Form of a sheet of counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SheetFormat {
    /// A table for people.
    Text,
    /// One JSON object.
    Json,
}

/// `jaga score`
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// Videos or images.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Model to ask; can be given several times. The configured ones when absent.
    #[arg(long = "model", value_name = "NAME")]
    pub models: Vec<String>,
    /// Policy file that decides.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Where the video is shown, such as `id-jk`; rules of a policy can differ by it.
    #[arg(long, value_name = "TAG")]
    pub region: Option<Region>,
    /// Frames to look at, 1..=256.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub frames: Option<u32>,
    /// How frames are chosen: `keyframe` or `uniform`.
    #[arg(long, value_name = "HOW")]
    pub sampling: Option<Strategy>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Put every frame's score into the report.
    #[arg(long)]
    pub frame_scores: bool,
    /// Score no more frames than the verdict needs.
    #[arg(long)]
    pub adaptive: bool,
}

/// `jaga batch`
#[derive(Debug, Args)]
pub struct BatchArgs {
    /// JSON lines, each `{"id", "path" | "url", …}`; relative paths begin at its folder. `-` is
    /// standard input.
    #[arg(value_name = "MANIFEST.jsonl")]
    pub manifest: PathBuf,
    /// File for the results, in the order in which they come; `-` is standard output.
    #[arg(long, value_name = "RESULTS.jsonl")]
    pub out: PathBuf,
    /// Go on where an earlier run stopped: score only what the results don't hold.
    #[arg(long)]
    pub resume: bool,
    /// Videos that are analysed at the same time; `analysis.concurrency` when absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: Option<u32>,
}

/// Form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    Text,
    /// One indented JSON array, an object a file.
    Json,
    /// One JSON object a line and file.
    Jsonl,
}

/// `jaga rescore`
#[derive(Debug, Args)]
pub struct RescoreArgs {
    /// Data directory of the server whose reports these are; the configured one when absent. It is
    /// only read, and its server may run.
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Model to ask in place of those that answered the same question; can be given several times.
    /// Without one, reports are only decided again.
    #[arg(long = "model", value_name = "NAME")]
    pub models: Vec<String>,
    /// Policy file that decides; the configured policy of the old decision's name when absent.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Decide as if all reports were of this day; each one's own when absent.
    #[arg(long, value_name = "DATE")]
    pub on: Option<Date>,
    /// First UTC date of the reports.
    #[arg(long, value_name = "DATE")]
    pub from: Option<Date>,
    /// Last UTC date of the reports.
    #[arg(long, value_name = "DATE")]
    pub to: Option<Date>,
    /// File for the results, a line a report; it must be new unless --resume is given.
    #[arg(long, value_name = "RESULTS.jsonl")]
    pub out: PathBuf,
    /// Go on behind the last whole line of RESULTS.jsonl.
    #[arg(long)]
    pub resume: bool,
    /// Form of the summary on standard output.
    #[arg(long, value_enum, default_value_t = SheetFormat::Text)]
    pub format: SheetFormat,
}

/// `jaga eval`
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// CSV table `path,label[,source][,method][,split]`; relative paths begin at its folder.
    #[arg(
        value_name = "MANIFEST.csv",
        required_unless_present = "from",
        conflicts_with = "from"
    )]
    pub manifest: Option<PathBuf>,
    /// CSV table `path,label,score[,source][,method][,model]` of scores that exist already.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["models", "frames", "sampling", "split", "perturb"])]
    pub from: Option<PathBuf>,
    /// Model to evaluate; can be given several times. The configured ones when absent.
    #[arg(long = "model", value_name = "NAME")]
    pub models: Vec<String>,
    /// Folder for metrics.json, scores.csv and what is kept for the next run. With --from and
    /// without it, the metrics are printed as JSON.
    #[arg(long, value_name = "DIR", required_unless_present = "from")]
    pub out: Option<PathBuf>,
    /// Rows of this split only.
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// Scores of at least this are called synthetic.
    #[arg(long, value_name = "SCORE", default_value_t = 0.5)]
    pub threshold: f64,
    /// Frames to look at, 1..=256.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub frames: Option<u32>,
    /// How frames are chosen: `keyframe` or `uniform`.
    #[arg(long, value_name = "HOW")]
    pub sampling: Option<Strategy>,
    /// Show no footage on the page: without it, report.html has small pictures of the worst errors.
    #[arg(long)]
    pub no_thumbnails: bool,
    /// Draws of the bootstrap.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    pub replicates: u32,
    /// Seed of the draws.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Also score what compression and handling make of each video: all kinds, or those named, such
    /// as `h264,blur`, or with their strengths, such as `h264=23,28,blur=4`.
    #[arg(long, value_name = "KINDS", num_args = 0..=1, default_missing_value = "")]
    pub perturb: Vec<String>,
    /// Seconds of each video, from its start, that --perturb looks at; more than 0, at most 600.
    #[arg(long, value_name = "S", default_value_t = 10.0, requires = "perturb")]
    pub perturb_seconds: f64,
}

/// `jaga drift`
#[derive(Debug, Args)]
pub struct DriftArgs {
    /// Model to look at; can be given several times. All that gave scores when absent.
    #[arg(long = "model", value_name = "NAME")]
    pub models: Vec<String>,
    /// What `jaga eval` or `--save` wrote; can be given several times. `drift.references` when absent.
    #[arg(long = "reference", value_name = "drift.json")]
    pub references: Vec<PathBuf>,
    /// Whose scores of the reference: `all`, `real` or `synthetic`. `drift.population` when absent.
    #[arg(long, value_name = "WHOSE")]
    pub population: Option<Population>,
    /// Days that are compared, today among them. `drift.days` when absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=90))]
    pub days: Option<u16>,
    /// Write the live scores to this file, as a reference for later.
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = SheetFormat::Text)]
    pub format: SheetFormat,
}

/// `jaga transparency`
#[derive(Debug, Args)]
pub struct TransparencyArgs {
    /// First day, such as `2026-10-01`, UTC.
    #[arg(long, value_name = "DATE")]
    pub from: Date,
    /// The day after the last one, UTC.
    #[arg(long, value_name = "DATE")]
    pub to: Date,
    /// What is told apart: policy, `policy_version`, rule, action, verdict, lane, source, automation,
    /// overturned, day, month; nothing for one sum.
    #[arg(long, value_name = "NAME,…")]
    pub group_by: Vec<String>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t = TransparencyFormat::Json)]
    pub format: TransparencyFormat,
}

/// Form of what is told of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TransparencyFormat {
    /// Counts as one JSON object.
    Json,
    /// Counts as CSV (RFC 4180), with a head.
    Csv,
    /// Statements of reasons for the DSA transparency database, one JSON object a line.
    Statements,
}

/// `jaga audit`
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// What to do with the chain.
    #[command(subcommand)]
    pub action: AuditAction,
}

/// Actions on the chain of what was decided.
#[derive(Debug, Subcommand)]
pub enum AuditAction {
    /// Walk along it and compare what it vouches for with what is stored; exit code 1 where it is
    /// broken. A server may go on meanwhile.
    Verify {
        /// A head that was kept elsewhere; an entry has to have this hash.
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
        /// Form of the output.
        #[arg(long, value_enum, default_value_t = SheetFormat::Text)]
        format: SheetFormat,
    },
}

/// `jaga reviews`
#[derive(Debug, Args)]
pub struct ReviewsArgs {
    /// What to do with the decisions.
    #[command(subcommand)]
    pub action: ReviewsAction,
}

/// Actions on reviewers' decisions.
#[derive(Debug, Subcommand)]
pub enum ReviewsAction {
    /// Print the videos on which people decided as a labelled table for `jaga eval`.
    Export(ExportArgs),
}

/// `jaga reviews export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Folder with the videos, looked through with all folders in it. Those whose content is that of
    /// a reviewed report are printed with their paths; without it, `path` is the content's BLAKE3.
    #[arg(long, value_name = "DIR")]
    pub files: Option<PathBuf>,
    /// Only reports from this day on, such as `2026-10-01`, UTC.
    #[arg(long, value_name = "DATE", requires = "to")]
    pub from: Option<Date>,
    /// Only reports of before this day, UTC.
    #[arg(long, value_name = "DATE", requires = "from")]
    pub to: Option<Date>,
}

/// `jaga fit`
#[derive(Debug, Args)]
pub struct FitArgs {
    /// CSV table `path,label[,source][,method][,split]` of videos; relative paths begin at its
    /// folder.
    #[arg(
        value_name = "MANIFEST.csv",
        required_unless_present = "embeddings",
        conflicts_with_all = ["embeddings", "arrays", "second_embeddings"]
    )]
    pub manifest: Option<PathBuf>,
    /// How videos are looked at.
    #[command(flatten)]
    pub footage: FootageArgs,
    /// Archive (`.npz`) of embeddings that exist already.
    #[arg(long, value_name = "FILE.npz", requires = "table")]
    pub embeddings: Option<PathBuf>,
    /// Table with columns `label` and `group` or `source`: .csv, or else tab-separated.
    #[arg(long, value_name = "FILE", requires = "embeddings")]
    pub table: Option<PathBuf>,
    /// An array that is tried, and the graph's output that it is of, where that is not the
    /// backbone's own; may be repeated.
    #[arg(long = "array", value_name = "NAME[=OUTPUT]", default_value = "block7")]
    pub arrays: Vec<String>,
    /// The rows are means of L2-normalised embeddings already.
    #[arg(long, requires = "embeddings")]
    pub averaged: bool,
    /// Archive of a second set, whose own head is added to that of the first.
    #[arg(long, value_name = "FILE.npz", requires = "second_table")]
    pub second_embeddings: Option<PathBuf>,
    /// Table of the second set.
    #[arg(long, value_name = "FILE", requires = "second_embeddings")]
    pub second_table: Option<PathBuf>,
    /// The second set's arrays, where they are called otherwise; as many as of the first.
    #[arg(
        long = "second-array",
        value_name = "NAME",
        requires = "second_embeddings"
    )]
    pub second_arrays: Vec<String>,
    /// How much of the second head is tried; may be repeated.
    #[arg(long = "share", value_name = "FACTOR", default_values_t = [0.0, 0.25, 0.5, 1.0], requires = "second_embeddings")]
    pub shares: Vec<f64>,
    /// The bundle whose graph and preprocessing made the embeddings.
    #[arg(long, value_name = "NAME")]
    pub backbone: String,
    /// The new bundle's folder; must not be there yet.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Whether each clip of a class counts the same, or each group in it.
    #[arg(long, value_enum, default_value_t = FitBalance::Groups)]
    pub balance: FitBalance,
    /// A strength C that is tried; may be repeated.
    #[arg(long = "strength", value_name = "C", default_values_t = STRENGTHS)]
    pub strengths: Vec<f64>,
    /// Kind of calibration.
    #[arg(long, value_enum, default_value_t = FitCalibration::Platt)]
    pub calibration: FitCalibration,
    /// Share of real clips that may reach `substantial_evidence`.
    #[arg(long, value_name = "RATE", default_value_t = 0.02)]
    pub max_fpr: f64,
    /// Folds, of whole groups.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(3..=20))]
    pub folds: u32,
    /// How often the groups are put into other folds; the figures are means.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=50))]
    pub repeats: u32,
    /// Seed of folds and intervals.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// How the videos of a manifest are looked at.
#[derive(Debug, Args)]
pub struct FootageArgs {
    /// Rows of this split only.
    #[arg(long, value_name = "NAME", requires = "manifest")]
    pub split: Option<String>,
    /// Frames to look at, 1..=256.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256), requires = "manifest")]
    pub frames: Option<u32>,
    /// How frames are chosen: `keyframe` or `uniform`.
    #[arg(long, value_name = "HOW", requires = "manifest")]
    pub sampling: Option<Strategy>,
    /// Folder that answers are kept in by content hash; `cache` in the data directory when absent.
    #[arg(long, value_name = "DIR", requires = "manifest")]
    pub cache: Option<PathBuf>,
}

/// `jaga calibrate`
#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// The model.
    #[arg(value_name = "NAME")]
    pub model: String,
    /// CSV table `path,label[,source][,method][,split]` of videos that the model was not fitted to.
    #[arg(value_name = "MANIFEST.csv")]
    pub manifest: PathBuf,
    /// How videos are looked at.
    #[command(flatten)]
    pub footage: FootageArgs,
    /// Pick the threshold on the scores as they are, so that at most this share of real videos
    /// reaches it, instead of fitting a calibration.
    #[arg(long, value_name = "RATE", conflicts_with_all = ["calibration", "folds", "seed"])]
    pub max_fpr: Option<f64>,
    /// Kind of calibration.
    #[arg(long, value_enum, default_value_t = FitCalibration::Platt)]
    pub calibration: FitCalibration,
    /// Write a bundle with the new calibration or threshold: a folder that must not be there yet.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Folds, of whole sources.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..=20))]
    pub folds: u32,
    /// Seed of the folds.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// What counts the same in a fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FitBalance {
    /// Each clip of a class.
    Clips,
    /// Each group in a class.
    Groups,
}

/// Kinds of calibration that can be fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FitCalibration {
    /// Slope and offset.
    Platt,
    /// Slope alone.
    Temperature,
    /// Any monotone map.
    Isotonic,
}

/// `jaga models`
#[derive(Debug, Args)]
pub struct ModelsArgs {
    /// What to do with the bundles.
    #[command(subcommand)]
    pub action: ModelsAction,
}

/// Actions on bundles.
#[derive(Debug, Subcommand)]
pub enum ModelsAction {
    /// List the bundles in the configured folders.
    List,
    /// Print a bundle's facts as JSON.
    Show {
        /// The bundle's name.
        name: String,
    },
    /// Check hashes and graph, load it and run it once.
    Verify {
        /// The bundle's name; all when absent.
        name: Option<String>,
    },
    /// Make a bundle of an ONNX export with Hugging Face's or timm's configuration.
    Import(ImportArgs),
}

/// `jaga models import`
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Folder with an .onnx file, `config.json` and, but for timm, `preprocessor_config.json`.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The bundle's name; the folder's when absent.
    #[arg(long)]
    pub name: Option<String>,
    /// The .onnx file within DIR; model.onnx, or the only one, when absent.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// What the model answers.
    #[arg(long, default_value = "ai_generated", value_name = "NAME")]
    pub question: String,
    /// The label that means synthetic, or its index; needed when the labels don't say it clearly.
    #[arg(long, value_name = "NAME|INDEX", allow_hyphen_values = true)]
    pub synthetic_label: Option<String>,
    /// SPDX expression of the weights' licence; that of DIR/README.md when absent.
    #[arg(long, value_name = "SPDX")]
    pub license: Option<String>,
    /// Version that reports show.
    #[arg(long, default_value = "1.0.0", value_name = "VERSION")]
    pub model_version: String,
    /// Folder of bundles to put it in; the first configured one when absent.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Don't load it into ONNX Runtime and run it once.
    #[arg(long)]
    pub no_verify: bool,
}

/// `jaga bench`
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to measure.
    #[command(subcommand)]
    pub part: BenchPart,
}

/// Parts that can be measured.
#[derive(Debug, Subcommand)]
pub enum BenchPart {
    /// Run a model with different numbers of sessions, threads and inputs a run; prints a line of
    /// JSON for each and the settings that it suggests.
    Engine(EngineArgs),
    /// Find faces in a file's planned frames and cut them out; prints JSON with milliseconds a frame.
    Faces(FacesArgs),
    /// Decode a file's planned frames and resize them as the default model asks; prints JSON.
    Decode {
        /// A video.
        file: PathBuf,
        /// Frames, 1..=256.
        #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
        frames: u32,
        /// How frames are chosen: `keyframe` or `uniform`.
        #[arg(long, default_value_t = Strategy::Keyframe)]
        sampling: Strategy,
        /// Runs; the median counts.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
        repeat: u32,
    },
}

/// `jaga bench engine`
#[derive(Debug, Args)]
pub struct EngineArgs {
    /// The model's bundle; the first default model when absent.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Sessions to try, such as `1,2`; 1 and one a core when absent.
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = count)]
    pub sessions: Vec<usize>,
    /// Threads of a session to try; 1 and as many as fill the cores when absent.
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = count)]
    pub threads: Vec<usize>,
    /// Inputs that may share a run, to try; 1 and what the bundle allows when absent.
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = count)]
    pub batch: Vec<usize>,
    /// Whether sessions keep the memory of a run, to try, such as `false,true`; as configured when
    /// absent, and for the best of those the other way too.
    #[arg(long, value_name = "BOOL,…", value_delimiter = ',', action = clap::ArgAction::Append)]
    pub arena: Vec<bool>,
    /// Sessions, threads, inputs and arena of the only point, measured in this process: how the
    /// points of a grid get processes of their own.
    #[arg(long, hide = true)]
    pub point: Option<String>,
    /// Inputs that are scored with each.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub inputs: u32,
}

/// A number of sessions, threads or inputs.
fn count(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|n| (1..=256).contains(n));
    number.ok_or_else(|| "expected 1 to 256".to_owned())
}

/// `jaga bench faces`
#[derive(Debug, Args)]
pub struct FacesArgs {
    /// A video.
    pub file: PathBuf,
    /// The finder's bundle.
    #[arg(long, value_name = "NAME", default_value = "centerface")]
    pub finder: String,
    /// Longest side that the finder sees, in pixels, 32..=4096; the bundle's when absent.
    #[arg(long, value_name = "N", value_parser = max_side)]
    pub max_side: Option<NonZeroU32>,
    /// Frames, 1..=64; all are kept in memory.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub frames: u32,
    /// How frames are chosen: `keyframe` or `uniform`.
    #[arg(long, default_value_t = Strategy::Uniform)]
    pub sampling: Strategy,
    /// Runs; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: u32,
}

fn max_side(text: &str) -> Result<NonZeroU32, String> {
    let side = text
        .parse()
        .ok()
        .filter(|side: &NonZeroU32| (32..=4096).contains(&side.get()));
    side.ok_or_else(|| "expected a number in 32..=4096".to_owned())
}
