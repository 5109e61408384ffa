//! Between columns and nouns. What the database holds is checked on the way out: a column that makes no sense is a
//! [`StoreError::Corrupt`], never a panic and never a default.

use crate::StoreError;
use serde::{Serialize, de::DeserializeOwned};
use std::str::FromStr;

/// The word of an enum without fields, as serde spells it.
pub(crate) fn word<T: Serialize>(value: T) -> Result<String, StoreError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        other => Err(corrupt("word", format!("{other:?}"))),
    }
}

pub(crate) fn from_word<T: DeserializeOwned>(what: &'static str, word: String) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(word)).map_err(|error| corrupt(what, error))
}

pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| corrupt("structure", error))
}

pub(crate) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(what, error))
}

/// Ids and names.
pub(crate) fn parse<T: FromStr<Err: ToString>>(what: &'static str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|error: T::Err| corrupt(what, error.to_string()))
}

pub(crate) fn number<T: TryFrom<i64>>(what: &'static str, number: i64) -> Result<T, StoreError> {
    T::try_from(number).map_err(|_| corrupt(what, format!("the number {number} is out of range")))
}

/// Bytes as text that both databases keep alike: two digits each.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

pub(crate) fn from_hex(what: &'static str, text: &str) -> Result<Vec<u8>, StoreError> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2));
    let digits = digits.ok_or_else(|| corrupt(what, "it is not made of pairs of digits"))?;
    let byte = |pair: &[u32]| pair.iter().fold(0, |byte, digit| byte * 16 + digit);
    digits.chunks_exact(2).map(|pair| number(what, i64::from(byte(pair)))).collect()
}

/// Sizes beyond 2⁶³ do not exist; one that is given is kept as the largest.
pub(crate) fn big(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn corrupt(what: &'static str, why: impl ToString) -> StoreError {
    StoreError::Corrupt { what, why: why.to_string() }
}
