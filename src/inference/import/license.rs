//! The licence that a model card states, as an SPDX expression. Pure.

/// Model hubs write SPDX identifiers in lower case; these are the ones that weights mostly have.
const SPDX: [&str; 18] = [
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unlicense",
    "CC0-1.0",
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "CC-BY-NC-4.0",
    "CC-BY-NC-SA-4.0",
    "CC-BY-ND-4.0",
    "CC-BY-NC-ND-4.0",
    "MPL-2.0",
    "GPL-3.0-only",
    "AGPL-3.0-only",
    "LGPL-3.0-only",
];

/// What a card says instead of a licence.
const NONE: [&str; 3] = ["other", "unknown", "unlicensed"];

/// The licence in the YAML front matter of `readme`; `None` when it states none, or several.
pub(super) fn stated(readme: &str) -> Option<String> {
    let mut lines = readme.trim_start_matches('\u{feff}').lines();
    if lines.next()?.trim_end() != "---" {
        return None;
    }
    let mut front = lines.take_while(|line| line.trim_end() != "---");
    // Top level: not indented. A list of licences has none on the key's own line.
    let value = front.find_map(|line| line.strip_prefix("license:"))?;
    let value = value.split(" #").next().unwrap_or_default().trim();
    let value = value.trim_matches(['"', '\'']).trim();
    spdx(value)
}

fn spdx(name: &str) -> Option<String> {
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    if name.is_empty() || name.len() > 64 || !plain || NONE.contains(&name) {
        return None;
    }
    let only = format!("{name}-only");
    let known = SPDX
        .iter()
        .find(|id| id.eq_ignore_ascii_case(name) || id.eq_ignore_ascii_case(&only));
    Some(match known {
        Some(id) => (*id).to_owned(),
        // SPDX's form for whatever it doesn't list.
        None => format!("LicenseRef-{name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_matter_states_it() {
        for (readme, license) in [
            ("---\nlicense: mit\n---\n# x", Some("MIT")),
            (
                "---\r\ntags:\r\n- a\r\nlicense: apache-2.0\r\n---\r\n",
                Some("Apache-2.0"),
            ),
            (
                "\u{feff}---\nlicense: \"cc-by-nc-4.0\" # as the data\n---\n",
                Some("CC-BY-NC-4.0"),
            ),
            ("---\nlicense: gpl-3.0\n---\n", Some("GPL-3.0-only")),
            ("---\nlicense: openrail\n---\n", Some("LicenseRef-openrail")),
            ("---\nlicense: other\n---\n", None),
            ("---\nlicense:\n- mit\n- gpl-3.0\n---\n", None),
            ("---\nlicense: [mit]\n---\n", None),
            ("---\nbase:\n  license: mit\n---\n", None),
            ("---\ntags: x\n---\nlicense: mit\n", None),
            ("license: mit\n", None),
            ("# a card\n---\nlicense: mit\n---\n", None),
            ("---\nlicense: a\u{1b}[31m\n---\n", None),
            ("---", None),
            ("", None),
        ] {
            assert_eq!(stated(readme).as_deref(), license, "{readme:?}");
        }
    }
}
