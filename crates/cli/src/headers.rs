//! Headers that the user adds to each request, `NAME=VALUE` each.

use crestline_load::target::{Header, Secret};

use crate::problem::Problem;

/// Headers as they are typed after `flag`.
pub(crate) fn read(flag: &str, typed: &[String]) -> Result<Vec<Header>, Problem> {
    typed
        .iter()
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                Problem::usage(format!("{flag} has a part without `=`")).hint(format!(
                    "write NAME=VALUE, with quotes where the value has spaces: {flag} 'X-Team=a b' X-Run=1"
                ))
            })?;
            Ok(Header { name: name_of(flag, name.trim())?, value: Secret::new(value.trim()) })
        })
        .collect()
}

/// Headers that say how long the body of the request is.
const OWN_HEADERS: [&str; 2] = ["content-length", "transfer-encoding"];

fn name_of(flag: &str, name: &str) -> Result<String, Problem> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own)) {
        Err(Problem::usage(format!("{flag} cannot set {name}"))
            .cause("crestline sets it to fit each request")
            .hint("leave it out"))
    } else if !name.is_empty() && name.bytes().all(token) {
        Ok(name.to_owned())
    } else {
        Err(
            Problem::usage(format!("{flag}: `{name}` is no name of a header"))
                .hint("write NAME=VALUE"),
        )
    }
}
