//! Logs: one line an event on standard error, as text or JSON, panics included.

use std::io::{self, IsTerminal};
use std::panic::{self, PanicHookInfo};

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::Directive;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Layer};

use super::traces::Export;
use crate::pipeline::stage;

/// `[log]` in `jaga.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Form of a line.
    pub format: LogFormat,
    /// Filter in `tracing`'s syntax, such as `info` or `jaga=debug,ort=warn`; when absent, a server
    /// says what it does and other commands warn only.
    pub level: Option<String>,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A filter that can't be read.
    #[error("log.level `{filter}` is no filter")]
    Filter {
        /// As configured.
        filter: String,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// Logging was set up before.
    #[error("logging can be set up only once")]
    Twice(#[from] TryInitError),
}

/// Starts logging for the whole process, and the export of traces if there is one; `default_level`
/// holds where the configuration names none.
pub fn init(
    config: &LogConfig,
    default_level: &str,
    traces: Option<&Export>,
) -> Result<(), LogError> {
    let filter = filter(config.level.as_deref().unwrap_or(default_level))?;
    let color = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(color);
    let lines = match config.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .with(traces.map(Export::layer))
        .try_init()?;
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// What is logged; spans that are there for traces never are.
fn filter(text: &str) -> Result<EnvFilter, LogError> {
    let unusable = |source| LogError::Filter {
        filter: text.to_owned(),
        source,
    };
    let untraced: Directive = format!("{}=off", stage::TARGET).parse().map_err(unusable)?;
    let filter = EnvFilter::try_new(text).map_err(unusable)?;
    Ok(filter.add_directive(untraced))
}

/// One line for a panic, within the span of its request. Only a text that stands in the source is
/// repeated: a made one, as of a slice of a string, can hold what is being worked on.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let text = panic.payload().downcast_ref::<&'static str>();
    let place = panic.location().map(ToString::to_string);
    tracing::error!(
        place = place.unwrap_or_default(),
        text = text.copied().unwrap_or("not repeated"),
        "panic"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    /// What `panic` logs; other threads' panics go on as before.
    fn logged(panic: fn()) -> serde_json::Value {
        let kept = Kept::default();
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(kept.clone())
            .json()
            .flatten_event(true);
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(lines));
        let (own, before) = (std::thread::current().id(), panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == own {
                log_panic(info);
            } else {
                before(info);
            }
        }));
        let caught = panic::catch_unwind(panic);
        let _ours = panic::take_hook();
        assert!(caught.is_err());
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_panic_is_one_line_that_repeats_no_made_text() {
        let fixed = logged(|| panic!("a fixed text"));
        assert_eq!(
            (&fixed["message"], &fixed["level"]),
            (&"panic".into(), &"ERROR".into())
        );
        assert_eq!(fixed["text"], "a fixed text");
        assert!(
            fixed["place"]
                .as_str()
                .unwrap()
                .starts_with("src/telemetry/logs.rs:")
        );
        let made = logged(|| panic!("{}", "content".repeat(2)));
        assert_eq!(made["text"], "not repeated");
        assert!(!made.to_string().contains("content"));
    }
}
