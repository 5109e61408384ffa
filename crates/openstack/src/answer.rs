//! Reading answers: totally, and without believing a word of them.

use crate::{OpenStackError, Service, http::Answer};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Longest piece of a cloud's own words that is passed on, in characters.
const WORDS_MAX: usize = 300;

/// What an answer says, or why it is not understood. The answer itself is not repeated: secrets may be in it.
pub(crate) fn read<T: DeserializeOwned>(service: Service, action: &str, answer: &Answer) -> Result<T, OpenStackError> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => {
                // serde quotes the value that it did not expect; only the field's name is passed on.
                let text = error.to_string();
                text.strip_prefix("missing field ").and_then(|rest| rest.split_whitespace().next()).map_or_else(
                    || format!("an unexpected value in line {}, column {}", error.line(), error.column()),
                    |field| format!("{field} is missing"),
                )
            }
            _ if answer.body.is_empty() => "nothing at all".to_owned(),
            _ => format!("no JSON from line {}, column {} on", error.line(), error.column()),
        };
        OpenStackError::NotUnderstood { service, action: action.to_owned(), what }
    })
}

/// A cloud's own words for a refusal. Each service has another shape for them, and proxies in between have HTML.
pub(crate) fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..body.len().min(16 << 10)).unwrap_or_default());
    let said = serde_json::from_str::<Value>(&text).ok().and_then(|value| said(&value));
    tidy(&said.unwrap_or_else(|| without_tags(&text)))
}

fn said(value: &Value) -> Option<String> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    // Placement: {"errors": [{"title", "detail"}]}
    if let Some(first) = value.get("errors").and_then(|errors| errors.get(0)) {
        return text(first, "detail").or_else(|| text(first, "title"));
    }
    // Keystone, Nova, Neutron, Cinder: one key with an object that has a message. Neutron's may be plain text.
    let inner = value.as_object()?.values().next()?;
    text(inner, "message").or_else(|| inner.as_str().map(str::to_owned)).or_else(|| text(value, "message"))
}

fn without_tags(text: &str) -> String {
    let mut out = String::new();
    // Titles say again what the status says.
    let text = text.split_once("<body").map_or(text, |(_, body)| body.split_once('>').map_or("", |(_, rest)| rest));
    let mut inside = false;
    for c in text.chars() {
        match c {
            '<' => {
                inside = true;
                out.push(' ');
            }
            '>' if inside => inside = false,
            _ if !inside => out.push(c),
            _ => {}
        }
    }
    out
}

/// One line of bounded length.
fn tidy(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect();
    if line.is_empty() { "it said nothing more".to_owned() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_each_service_are_found() {
        for (body, want) in [
            (
                r#"{"itemNotFound": {"code": 404, "message": "Instance x could not be found."}}"#,
                "Instance x could not be found.",
            ),
            (
                r#"{"error": {"code": 401, "message": "The request you have made requires authentication.", "title": "Unauthorized"}}"#,
                "The request you have made requires authentication.",
            ),
            (
                r#"{"NeutronError": {"type": "NetworkNotFound", "message": "Network x could not be found.", "detail": ""}}"#,
                "Network x could not be found.",
            ),
            (
                r#"{"errors": [{"status": 403, "title": "Forbidden", "detail": "Access was denied to this resource.\n\n   "}]}"#,
                "Access was denied to this resource.",
            ),
            (
                "<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  <h1>404 Not Found</h1>\n  No image found<br /><br />\n </body>\n</html>",
                "404 Not Found No image found",
            ),
            ("", "it said nothing more"),
            ("[]", "[]"),
            ("{\"a\": 1}", "{\"a\": 1}"),
        ] {
            assert_eq!(words(body.as_bytes()), want, "{body}");
        }
        assert_eq!(words("x".repeat(100_000).as_bytes()).chars().count(), WORDS_MAX);
        assert!(!words(b"\x1b[31m\x00\xff").contains('\x1b'));
    }
}
