//! Arguments of commands, which stand in the query.

use crate::answer::Refusal;
use std::collections::BTreeMap;
use std::time::Duration;

/// Most arguments, and the longest of them, in bytes.
const ARGUMENTS_MAX: usize = 64;
const ARGUMENT_BYTES_MAX: usize = 4 << 10;

/// The last of several with one name holds.
#[derive(Debug, Default)]
pub(crate) struct Query(BTreeMap<String, String>);

type Valid<T> = Result<T, Refusal>;

impl Query {
    pub fn of(text: &str) -> Self {
        let pairs = url::form_urlencoded::parse(text.as_bytes()).into_owned().take(ARGUMENTS_MAX);
        Self(pairs.filter(|(name, value)| name.len() + value.len() <= ARGUMENT_BYTES_MAX).collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Empty where it is missing.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// One of some words.
    pub fn word(&self, name: &str, words: &[&'static str], what: &str) -> Valid<&'static str> {
        let given = self.text(name).trim().to_ascii_lowercase();
        words.iter().find(|word| **word == given).copied().ok_or_else(|| Refusal::invalid(self.text(name), what))
    }

    pub fn flag(&self, name: &str) -> Valid<Option<bool>> {
        let Some(given) = self.get(name) else { return Ok(None) };
        match given.trim().to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" => Ok(Some(true)),
            "0" | "false" | "no" => Ok(Some(false)),
            _ => Err(Refusal::invalid(given, "bool")),
        }
    }

    pub fn on(&self, name: &str) -> Valid<bool> {
        self.flag(name).map(|on| on.unwrap_or(false))
    }

    pub fn needed_flag(&self, name: &str) -> Valid<bool> {
        self.flag(name)?.ok_or_else(|| Refusal::invalid("None", "bool"))
    }

    /// A whole number, decimal or `0x…`.
    pub fn whole(&self, name: &str) -> Valid<Option<i64>> {
        let Some(given) = self.get(name) else { return Ok(None) };
        let text = given.trim();
        let (minus, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
        let number = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => i64::from_str_radix(hex, 16).ok(),
            Some(_) => None,
            None if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse::<i64>().ok(),
            None => None,
        };
        let number = number.ok_or_else(|| Refusal::invalid(given, "number"))?;
        Ok(Some(if minus { -number } else { number }))
    }

    /// A whole number within bounds.
    pub fn within(&self, name: &str, least: i64, most: i64, what: &str) -> Valid<Option<i64>> {
        match self.whole(name)? {
            Some(number) if number < least => Err(Refusal::bad(
                "ValidatorError",
                format!("The argument '{number}' must be {what} and greater or equal than {least}"),
            )),
            Some(number) if number > most => Err(Refusal::bad(
                "ValidatorError",
                format!("The argument '{number}' must be {what} and lesser or equal then {most}"),
            )),
            number => Ok(number),
        }
    }

    /// A whole number that is needed, brought between bounds.
    pub fn clamped(&self, name: &str, least: i64, most: i64) -> Valid<i64> {
        let number = self.whole(name)?.ok_or_else(|| Refusal::invalid("None", "number"))?;
        Ok(number.clamp(least, most))
    }

    /// Seconds, with parts, up to so many.
    pub fn seconds(&self, name: &str, most: f64) -> Valid<Option<Duration>> {
        let Some(given) = self.get(name) else { return Ok(None) };
        let number = given.trim().parse::<f64>().ok().filter(|number| (0.0..=most).contains(number));
        let number = number.ok_or_else(|| Refusal::invalid(given, "delay"))?;
        Ok(Some(Duration::from_secs_f64(number)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_as_kvmd_reads_them() {
        let query = Query::of("a=0x1F&b=-12&c=Yes&d=no&e=maybe&f=9&g=%C3%A4+b&h=1.5&i=0x&j=--1");
        assert_eq!((query.whole("a").unwrap(), query.whole("b").unwrap()), (Some(31), Some(-12)));
        assert_eq!((query.on("c").unwrap(), query.on("d").unwrap(), query.on("z").unwrap()), (true, false, false));
        assert_eq!(query.on("e").unwrap_err().text, "The argument 'maybe' is not a valid bool");
        let long = query.within("f", 1, 8, "stream quality").unwrap_err();
        assert_eq!(long.text, "The argument '9' must be stream quality and lesser or equal then 8");
        assert_eq!(query.text("g"), "ä b");
        assert_eq!(query.clamped("f", -3, 3).unwrap(), 3);
        assert_eq!(query.seconds("h", 5.0).unwrap(), Some(Duration::from_millis(1500)));
        assert!(query.seconds("f", 5.0).is_err() && query.whole("h").is_err());
        assert!(query.whole("j").is_err());
        assert!(query.needed_flag("z").is_err() && query.clamped("z", 0, 1).is_err());
    }
}
