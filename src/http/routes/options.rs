//! What a caller may ask for in the query of a request with an upload.

use crate::http::problem::Problem;
use crate::pipeline::Options;

/// Keys of the query that are options of an analysis.
const KNOWN: &str = "model, policy, frames, sampling, frame_scores, adaptive";

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
        _ => return Ok(false),
    }
    Ok(true)
}

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
            "model=a&model=b&policy=p&frames=4&sampling=uniform&frame_scores=true&adaptive=false",
        )
        .unwrap();
        let want = Options {
            models: vec!["a".to_owned(), "b".to_owned()],
            policy: Some("p".to_owned()),
            frames: Some(4),
            sampling: Some(Strategy::Uniform),
            frame_scores: true,
            adaptive: Some(false),
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
        ] {
            assert_eq!(options(bad).unwrap_err().code(), "bad_request", "{bad}");
        }
    }
}
