//! JSON objects read key by key, with errors that name file and key. Pure.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::ImportError;

/// Longest piece of JSON that an error shows, in characters.
const MAX_SHOWN: usize = 80;

/// One object of a JSON file. A key whose value is `null` counts as absent, as in Python.
#[derive(Debug, Clone)]
pub(super) struct Object<'a> {
    file: &'a Path,
    /// Path of keys that leads here, with a dot at its end.
    at: String,
    map: &'a Map<String, Value>,
}

/// Reads the text of a JSON file.
pub(super) fn parse(file: &Path, text: &str) -> Result<Value, ImportError> {
    serde_json::from_str(text).map_err(|error| ImportError::Syntax {
        file: file.to_owned(),
        reason: error.to_string(),
    })
}

impl<'a> Object<'a> {
    /// The object that a whole file is.
    pub(super) fn root(file: &'a Path, value: &'a Value) -> Result<Self, ImportError> {
        let map = value.as_object().ok_or_else(|| ImportError::Value {
            file: file.to_owned(),
            key: "the whole file".to_owned(),
            expected: "an object".to_owned(),
            found: shown(value),
        })?;
        Ok(Self {
            file,
            at: String::new(),
            map,
        })
    }

    /// The keys that have a value, in alphabetical order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        self.map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.as_str(), value))
    }

    /// The value of `key`, whatever it is.
    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// An object under `key`.
    pub(super) fn object(&self, key: &str) -> Result<Option<Object<'a>>, ImportError> {
        self.read(key, "an object", |value| {
            value.as_object().map(|map| Object {
                file: self.file,
                at: format!("{}{key}.", self.at),
                map,
            })
        })
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, ImportError> {
        self.read(key, "true or false", Value::as_bool)
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, ImportError> {
        self.read(key, "a text", Value::as_str)
    }

    /// A finite number; JSON has no others.
    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, ImportError> {
        self.read(key, "a number", Value::as_f64)
    }

    /// `map` of what `key` has; an error with `expected` where that is nothing.
    pub(super) fn read<T>(
        &self,
        key: &str,
        expected: &str,
        map: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ImportError> {
        self.value(key)
            .map(|value| map(value).ok_or_else(|| self.wrong(key, expected)))
            .transpose()
    }

    /// What `found` holds; an error where the key is absent.
    pub(super) fn required<T>(&self, key: &str, found: Option<T>) -> Result<T, ImportError> {
        found.ok_or_else(|| self.wrong(key, "there"))
    }

    /// The error that `key` should be `expected`.
    pub(super) fn wrong(&self, key: &str, expected: &str) -> ImportError {
        ImportError::Value {
            file: PathBuf::from(self.file),
            key: format!("{}{key}", self.at),
            expected: expected.to_owned(),
            found: self.map.get(key).map_or("missing".to_owned(), shown),
        }
    }
}

/// `value` in short.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= MAX_SHOWN {
        return text;
    }
    let start: String = text.chars().take(MAX_SHOWN).collect();
    format!("{start}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_are_errors() {
        let file = Path::new("config.json");
        for text in [
            "",
            "{",
            "{\"a\": NaN}",
            "{\"a\": Infinity}",
            "{\"a\": 1e999}",
            &"[".repeat(100_000),
            &"{\"a\":".repeat(100_000),
            "{\"a\": \"\u{0}\"}",
            "nonsense",
        ] {
            let error = parse(file, text).unwrap_err().to_string();
            assert!(error.starts_with("config.json: "), "{error}");
        }
        for text in ["[]", "1", "null", "\"x\""] {
            let value = parse(file, text).unwrap();
            let error = Object::root(file, &value).unwrap_err().to_string();
            assert!(error.contains("must be an object"), "{error}");
        }
    }

    #[test]
    fn wrong_types_name_file_and_key() {
        let file = Path::new("config.json");
        let long = "x".repeat(1000);
        let text = format!(
            "{{\"inner\": {{\"side\": -1, \"pct\": \"x\", \"on\": 1, \"long\": \"{long}\"}}}}"
        );
        let value = parse(file, &text).unwrap();
        let root = Object::root(file, &value).unwrap();
        let inner = root.object("inner").unwrap().unwrap();
        let told = |error: ImportError| error.to_string();
        assert_eq!(
            told(inner.text("side").unwrap_err()),
            "config.json: inner.side must be a text; it is -1"
        );
        assert_eq!(
            told(inner.number("pct").unwrap_err()),
            "config.json: inner.pct must be a number; it is \"x\""
        );
        assert_eq!(
            told(inner.flag("on").unwrap_err()),
            "config.json: inner.on must be true or false; it is 1"
        );
        assert!(told(inner.flag("long").unwrap_err()).len() < 200);
        assert!(inner.object("pct").is_err());
        assert_eq!(
            told(inner.required::<u32>("size", None).unwrap_err()),
            "config.json: inner.size must be there; it is missing"
        );
    }
}
