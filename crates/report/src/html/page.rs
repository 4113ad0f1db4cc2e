//! The frame of a page: its title, its colours on light and dark screens, and the parts in it.
//!
//! A page forbids itself to load anything, so that it shows nothing that is not in its own file.

use std::fmt::Write as _;

use crate::figures::{Shades, escaped, hex};

/// A page as it is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<'a> {
    /// What it shows, in a few words.
    pub title: &'a str,
    /// What was measured.
    pub subject: &'a str,
    /// Its parts, from above.
    pub parts: Vec<Part>,
}

/// A part of a page. Style and script of parts of one kind are the same, and are there once.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Rules for what is in it.
    pub style: String,
    /// What is in it.
    pub markup: String,
    /// What makes it move, if anything; runs when all parts are there.
    pub script: &'static str,
}

/// Colours of the page itself, by name, on light and on dark screens.
const COLOURS: [(&str, Shades); 10] = [
    ("ground", [0xff_ffff, 0x0d_1117]),
    ("grid", [0xdf_e4e9, 0x2a_313a]),
    ("text", [0x1f_2328, 0xe6_edf3]),
    ("quiet", [0x59_636e, 0x9a_a4ae]),
    ("failed", [0x1f_2328, 0xff_ffff]),
    ("raised", [0xf6_f8fa, 0x16_1b22]),
    ("accent", [0x05_50ae, 0x79_c0ff]),
    ("good", [0x00_6b58, 0x35_c9a5]),
    ("bad", [0xb0_3a08, 0xff_8a4c]),
    ("warning", [0x85_5a00, 0xf0_b429]),
];

impl Page<'_> {
    /// The whole file.
    pub fn html(&self) -> String {
        let [title, subject] = [self.title, self.subject].map(escaped);
        let mut styles = vec![colours(&COLOURS), include_str!("page.css").to_owned()];
        let mut scripts = vec![include_str!("page.js")];
        let mut markup = String::new();
        for part in &self.parts {
            if !styles.contains(&part.style) {
                styles.push(part.style.clone());
            }
            if !part.script.is_empty() && !scripts.contains(&part.script) {
                scripts.push(part.script);
            }
            markup.push_str(&part.markup);
        }
        let script = scripts.iter().fold(String::new(), |mut all, script| {
            let _ = writeln!(all, "<script>\n{script}</script>");
            all
        });
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
             script-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{title}</title>\n<style>\n{}</style>\n</head>\n<body>\n\
             <header><div><h1>{title}</h1><p>{subject}</p></div>\
             <button id=\"theme\" type=\"button\">Light / dark</button></header>\n\
             <noscript>This browser runs no scripts: what one draws is missing, and nothing can be enlarged, sorted or saved.</noscript>\n\
             {markup}{script}</body>\n</html>\n",
            styles.concat(),
        )
    }
}

/// Colours as properties that all rules may use: as the screen is, or as the page is told.
pub(super) fn colours(named: &[(&str, Shades)]) -> String {
    let list = |theme: usize| {
        named.iter().fold(String::new(), |mut all, (name, shades)| {
            let _ = write!(all, "--{name}:{};", hex(shades[theme]));
            all
        })
    };
    let (light, dark) = (list(0), list(1));
    format!(
        ":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n\
         :root[data-theme=light]{{color-scheme:light;{light}}}\n:root[data-theme=dark]{{color-scheme:dark;{dark}}}\n"
    )
}

/// Data as JSON that may stand in a page: no text in it can end the element it is in.
pub(super) fn embedded(json: &str) -> String {
    json.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part() -> Part {
        Part {
            style: ".x{color:red}\n".to_owned(),
            markup: "<p class=x></p>\n".to_owned(),
            script: "const x = 1;\n",
        }
    }

    #[test]
    fn parts_of_one_kind_share_their_style_and_script() {
        let page = Page {
            title: "<b>",
            subject: "a & b",
            parts: vec![part(), part()],
        };
        let html = page.html();
        assert_eq!(html.matches("<p class=x>").count(), 2);
        assert_eq!(html.matches(".x{color:red}").count(), 1);
        assert_eq!(html.matches("const x = 1;").count(), 1);
        assert!(html.contains("<title>&lt;b&gt;</title>") && html.contains("<p>a &amp; b</p>"));
    }

    #[test]
    fn data_cannot_leave_its_element() {
        assert_eq!(
            embedded(r#"["</script><b>"]"#),
            r#"["\u003c/script>\u003cb>"]"#
        );
    }
}
