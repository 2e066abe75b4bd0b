//! `jaga doctor`: everything that a server needs, tried for real.

use std::fmt::Display;
use std::io::{self, Write};

use super::Outcome;
use super::models::runs_on;
use crate::config::Config;
use crate::http::tls;
use crate::inference::providers::Target;
use crate::inference::registry::{self, Selection};
use crate::inference::{Providers, Registry, Runtime};
use crate::media::decoder::examine;
use crate::media::sandbox::Walls;
use crate::media::sandbox::attempts::ATTEMPTS;
use crate::media::{Decoder, MediaConfig, MediaError, Perturber};
use crate::pipeline::policies::Policies;
use crate::store::{KeyRing, Spool};

/// Tries each part and prints one line for each; fails when one that is configured is unusable.
pub(super) fn run(config: &Config, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let mut sheet = Sheet { out, failed: false };
    match Decoder::start(&config.media) {
        Ok(decoder) => {
            let version = format!("FFmpeg {}", decoder.ffmpeg_version());
            sheet.check("decoder", Ok::<_, MediaError>(version))?;
            sandbox(config, decoder.walls(), &mut sheet)?;
        }
        Err(error) => sheet.check::<&str>("decoder", Err(error))?,
    }
    perturber(config, &mut sheet)?;
    sheet.check(
        "data",
        Spool::open(&config.data).map(|_| config.data.dir.display().to_string()),
    )?;
    access(config, &mut sheet)?;
    sheet.check(
        "policies",
        Policies::load(&config.policy).map(|_| config.policy.default.clone()),
    )?;
    inference(config, &mut sheet)?;
    sheet.note("limits", &limits(config))?;
    Ok(if sheet.failed {
        Outcome::Failed
    } else {
        Outcome::Done
    })
}

/// No server needs it, so one that isn't there is no fault; one that is must work.
fn perturber(config: &Config, sheet: &mut Sheet<'_, impl Write>) -> io::Result<()> {
    match Perturber::start(&config.media, &config.perturb) {
        Ok(_) => sheet.check("perturber", Ok::<_, MediaError>("for jaga eval --perturb")),
        Err(MediaError::Spawn { program, .. }) if config.perturb.program.is_none() => sheet.note(
            "perturber",
            &format!(
                "not here ({}); jaga eval --perturb needs it",
                program.display()
            ),
        ),
        Err(error) => sheet.check::<&str>("perturber", Err(error)),
    }
}

/// The walls around a child, and whether they hold against what a child that was taken over would
/// try.
fn sandbox(config: &Config, walls: &Walls, sheet: &mut Sheet<'_, impl Write>) -> io::Result<()> {
    for (name, wall) in walls.each() {
        if wall.in_force {
            sheet.check(
                &format!("sandbox {name}"),
                Ok::<_, MediaError>(&wall.detail),
            )?;
        } else {
            sheet.note(
                &format!("sandbox {name}"),
                &format!("MISSING, {}", wall.detail),
            )?;
        }
    }
    if !walls.seccomp.in_force {
        return sheet.note(
            "sandbox self-test",
            "left out: without the system-call filter a child gets further",
        );
    }
    sheet.check("sandbox self-test", self_test(&config.media))
}

fn self_test(config: &MediaConfig) -> anyhow::Result<String> {
    let (mut stopped, mut failed) = (0_u32, Vec::new());
    for attempt in ATTEMPTS.iter().filter(|attempt| attempt.quick) {
        let seen = examine(config, *attempt)?;
        if seen.stopped {
            stopped = stopped.saturating_add(1);
        } else {
            failed.push(format!(
                "{} ended with {}, not {}",
                attempt.name, seen.outcome, attempt.end
            ));
        }
    }
    anyhow::ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(format!("{stopped} ways out tried, all closed"))
}

/// Keys, where a server would ask for them, and the certificate, where there is one.
fn access(config: &Config, sheet: &mut Sheet<'_, impl Write>) -> io::Result<()> {
    match config.server.asks_for_keys(config.server.listen) {
        Ok(true) => {
            let ring = KeyRing::open(config.data.keys_dir());
            sheet.check(
                "keys",
                ring.map(|ring| {
                    format!(
                        "{} valid, asked for on {}",
                        ring.len(),
                        config.server.listen
                    )
                }),
            )?;
        }
        Ok(false) => sheet.note(
            "keys",
            &format!("not asked for on {}", config.server.listen),
        )?,
        Err(error) => sheet.check::<&str>("keys", Err(error))?,
    }
    match tls::examine(&config.server.tls) {
        Ok(None) => sheet.note("tls", "off"),
        Ok(Some(not_after)) => sheet.check(
            "tls",
            Ok::<_, tls::TlsError>(format!("the certificate is valid until {not_after}")),
        ),
        Err(error) => sheet.check::<&str>("tls", Err(error)),
    }
}

fn inference(config: &Config, sheet: &mut Sheet<'_, impl Write>) -> io::Result<()> {
    let runtime = match Runtime::configured(&config.runtime) {
        Ok(runtime) => runtime,
        Err(error) => return sheet.check::<&str>("onnxruntime", Err(error)),
    };
    let library = runtime.library().display().to_string();
    sheet.check::<_>(
        "onnxruntime",
        Ok::<_, io::Error>(format!("{} ({library})", runtime.version())),
    )?;
    let providers = match config.runtime.providers() {
        Ok(providers) => providers,
        Err(error) => return sheet.check::<&str>("providers", Err(error)),
    };
    try_providers(&runtime, &providers, sheet)?;
    let found = match registry::find(&config.models.dirs) {
        Ok(found) => found,
        Err(error) => return sheet.check::<&str>("models", Err(error)),
    };
    for name in config
        .models
        .default
        .iter()
        .filter(|name| !found.contains_key(*name))
    {
        sheet.check::<&str>(
            &format!("model {name}"),
            Err(anyhow::anyhow!("is a default model and isn't there")),
        )?;
    }
    for name in found.into_keys() {
        let one = std::slice::from_ref(&name);
        let loaded = Registry::load(&runtime, &config.models, &providers, Selection::Named(one));
        sheet.check(
            &format!("model {name}"),
            loaded.map(|loaded| runs_on(&loaded, &name)),
        )?;
    }
    Ok(())
}

/// Runs a tiny graph on each provider that the library offers or that is configured. One that is
/// the only one configured has to work.
fn try_providers(
    runtime: &Runtime,
    providers: &Providers,
    sheet: &mut Sheet<'_, impl Write>,
) -> io::Result<()> {
    let configured: Vec<Target> = providers.list().cloned().collect();
    let mut targets = configured.clone();
    for offered in runtime.offers() {
        if !targets.iter().any(|target| target.provider == offered) {
            targets.push(offered.into());
        }
    }
    for target in targets {
        let what = format!("provider {}", target.provider.setting());
        let use_of = if configured.contains(&target) {
            "configured"
        } else {
            "not configured"
        };
        match runtime.probe(&target) {
            Ok(_) => sheet.check(&what, Ok::<_, io::Error>(format!("works, {use_of}")))?,
            Err(error) if configured == [target] => sheet.check::<&str>(&what, Err(error))?,
            Err(error) => sheet.note(&what, &format!("{use_of}: {error}"))?,
        }
    }
    Ok(())
}

fn limits(config: &Config) -> String {
    let media = config.media.limits;
    format!(
        "upload {} bytes, {} s, {} px a side, {} px a frame, {} waiting, {} at once, {} s a request",
        config.data.max_upload_bytes,
        media.max_duration_s,
        media.max_side_px,
        media.max_pixels,
        config.analysis.queue,
        config.analysis.concurrency(),
        config.analysis.deadline_s,
    )
}

/// Lines of the examination.
struct Sheet<'a, W> {
    out: &'a mut W,
    failed: bool,
}

impl<W: Write> Sheet<'_, W> {
    fn check<T: Display>(
        &mut self,
        what: &str,
        result: Result<T, impl Into<anyhow::Error>>,
    ) -> io::Result<()> {
        match result {
            Ok(found) => writeln!(self.out, "ok    {what}: {found}"),
            Err(error) => {
                self.failed = true;
                writeln!(self.out, "FAIL  {what}: {:#}", error.into())
            }
        }
    }

    fn note(&mut self, what: &str, text: &str) -> io::Result<()> {
        writeln!(self.out, "note  {what}: {text}")
    }
}
