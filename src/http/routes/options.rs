//! What a caller may ask for in the query of a request with an upload.

use jiff::civil::Date;

use crate::domain::transparency::period::Period;
use crate::http::problem::Problem;
use crate::pipeline::Options;

/// Keys of the query that are options of an analysis.
const KNOWN: &str = "model, policy, frames, sampling, frame_scores, adaptive, region";

/// Reads the query; an unknown key is an error, for it may be a misspelt one.
pub(super) fn options(query: &str) -> Result<Options, Problem> {
    let mut options = Options::default();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        if !read(&mut options, &key, &value)? {
            return Err(unknown(&key, KNOWN));
        }
    }
    Ok(options)
}

/// Reads one option; `false`: there is none of this name.
pub(super) fn read(options: &mut Options, key: &str, value: &str) -> Result<bool, Problem> {
    let unusable = |expected: &str| unusable(key, expected);
    match key {
        "model" => options.models.push(value.to_owned()),
        "policy" => options.policy = Some(value.to_owned()),
        "frames" => {
            options.frames = Some(value.parse().map_err(|_| unusable("a whole number"))?);
        }
        "sampling" => {
            let strategy = value.parse().map_err(|_| unusable("keyframe or uniform"))?;
            options.sampling = Some(strategy);
        }
        "frame_scores" => {
            options.frame_scores = value.parse().map_err(|_| unusable("true or false"))?;
        }
        "adaptive" => {
            let adaptive = value.parse().map_err(|_| unusable("true or false"))?;
            options.adaptive = Some(adaptive);
        }
        "region" => {
            let expected = "a region such as id-jk: letters and digits, with single `-` between";
            options.region = Some(value.parse().map_err(|_| unusable(expected))?);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Reads a day.
pub(super) fn day(key: &str, text: &str) -> Result<Date, Problem> {
    text.parse().map_err(|_| unusable(key, EXPECTED_DAY))
}

/// The period of these days, of which both must be there.
pub(super) fn period(from: Option<Date>, to: Option<Date>) -> Result<Period, Problem> {
    let from = from.ok_or_else(|| unusable("from", EXPECTED_DAY))?;
    let to = to.ok_or_else(|| unusable("to", EXPECTED_DAY))?;
    Period::new(from, to)
        .map_err(|error| Problem::bad_request(error.to_string()).with("parameter", "to"))
}

const EXPECTED_DAY: &str = "a day such as 2026-11-24";

/// A value that its key can't have.
pub(super) fn unusable(key: &str, expected: &str) -> Problem {
    Problem::bad_request(format!("`{key}` must be {expected}.")).with("parameter", key)
}

/// A key that means nothing here.
pub(super) fn unknown(key: &str, supported: &str) -> Problem {
    Problem::bad_request(format!("`{key}` is no option."))
        .with("parameter", key)
        .with("supported", supported)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sampling::Strategy;

    #[test]
    fn reads_every_option() {
        let got = options(
            "model=a&model=b&policy=p&frames=4&sampling=uniform&frame_scores=true&adaptive=false&region=ID-jk",
        )
        .unwrap();
        let want = Options {
            models: vec!["a".to_owned(), "b".to_owned()],
            policy: Some("p".to_owned()),
            frames: Some(4),
            sampling: Some(Strategy::Uniform),
            frame_scores: true,
            adaptive: Some(false),
            region: Some("id-jk".parse().unwrap()),
        };
        assert_eq!(got, want);
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for bad in [
            "frame=4",
            "frames=x",
            "frames=-1",
            "sampling=all",
            "frame_scores=1",
            "adaptive=yes",
            "region=id--jk",
        ] {
            assert_eq!(options(bad).unwrap_err().code(), "bad_request", "{bad}");
        }
    }
}
