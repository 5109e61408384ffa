//! Whom passkeys are made for: the host of our pages, as browsers see it.

use std::net::Ipv4Addr;

/// Longest host name (RFC 1035, section 2.3.4).
const HOST_CHARS_MAX: usize = 253;

/// A relying party (WebAuthn level 3, section 4): its id is the host, and its pages have one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    id: String,
    origin: String,
}

/// Why there can be no passkeys at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoParty {
    #[error("passkeys belong to a name, and this address is a number: open Oriel by its host name")]
    Number,
    #[error("browsers keep passkeys for encrypted pages, and this one is not: open Oriel over https, or on localhost")]
    Plain,
    #[error("this is no address of a page: open Oriel at the address that it prints")]
    NoOrigin,
}

impl RelyingParty {
    /// Of the origin of our own page, `https://HOST[:PORT]`; `http` only on localhost, as browsers have it.
    pub fn of_origin(origin: &str) -> Result<Self, NoParty> {
        let origin = origin.to_ascii_lowercase();
        let (scheme, place) = origin.split_once("://").ok_or(NoParty::NoOrigin)?;
        if place.starts_with('[') {
            return Err(NoParty::Number);
        }
        let host = match place.split_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => host,
            Some(_) => return Err(NoParty::NoOrigin),
            None => place,
        };
        let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-._".contains(&c);
        if !(1..=HOST_CHARS_MAX).contains(&host.len()) || !host.bytes().all(good) {
            return Err(NoParty::NoOrigin);
        }
        if is_number(host) {
            return Err(NoParty::Number);
        }
        let local = host == "localhost" || host.ends_with(".localhost");
        match scheme {
            "https" => {}
            "http" if local => {}
            "http" => return Err(NoParty::Plain),
            _ => return Err(NoParty::NoOrigin),
        }
        Ok(Self { id: host.to_owned(), origin })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// An address of IPv4, however it is written: browsers take every host for one that ends in a number (WHATWG's URL, section 3.5).
fn is_number(host: &str) -> bool {
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|c| c.is_ascii_hexdigit()));
    host.parse::<Ipv4Addr>().is_ok() || (!last.is_empty() && last.bytes().all(|c| c.is_ascii_digit())) || hexadecimal
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hosts_are_parties_and_numbers_are_not() {
        for (origin, id) in [
            ("https://oriel.example", "oriel.example"),
            ("https://Oriel.Example:8470", "oriel.example"),
            ("https://oriel", "oriel"),
            ("http://localhost:8470", "localhost"),
            ("http://a.localhost", "a.localhost"),
            ("https://localhost", "localhost"),
        ] {
            let party = RelyingParty::of_origin(origin).unwrap();
            assert_eq!((party.id(), party.origin()), (id, origin.to_ascii_lowercase().as_str()));
        }
        for (origin, why) in [
            ("https://192.0.2.7", NoParty::Number),
            ("http://127.0.0.1:8470", NoParty::Number),
            ("https://[::1]:8470", NoParty::Number),
            ("https://127.1", NoParty::Number),
            ("https://0x7f", NoParty::Number),
            ("https://a.1.", NoParty::Number),
            ("http://oriel.example", NoParty::Plain),
            ("http://notlocalhost", NoParty::Plain),
            ("", NoParty::NoOrigin),
            ("null", NoParty::NoOrigin),
            ("https://", NoParty::NoOrigin),
            ("https://a:b", NoParty::NoOrigin),
            ("https://a/b", NoParty::NoOrigin),
            ("https://a@b", NoParty::NoOrigin),
            ("ftp://oriel.example", NoParty::NoOrigin),
        ] {
            assert_eq!(RelyingParty::of_origin(origin), Err(why), "{origin}");
        }
    }

    proptest! {
        #[test]
        fn any_origin_is_total(origin in "\\PC{0,80}") {
            let _ = RelyingParty::of_origin(&origin);
            let _ = RelyingParty::of_origin(&format!("https://{origin}"));
        }
    }
}
