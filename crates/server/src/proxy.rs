//! A proxy in front that is trusted: with the address of who asks, with TLS that ends at it, and with who they are (header sign-in).
//!
//! Off unless the configuration names its addresses. What it says is looked at once, before anything else, and taken away from every
//! request: from anybody else the same headers mean nothing.

use crate::{App, Peer};
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
    middleware::Next,
    response::Response,
};
use ipnet::IpNet;
use oriel_broker::ProxyPerson;
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    collections::BTreeSet,
    convert::Infallible,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

/// The header with which the proxy shows that it is the proxy.
pub const PROXY_SECRET_HEADER: &str = "oriel-proxy-secret";
const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";
/// Networks that can be trusted.
const TRUST_MAX: usize = 64;
/// Longest value that is taken of a header with one value, in bytes.
const VALUE_BYTES_MAX: usize = 255;
/// Groups of one person, and words that say how they showed who they are.
const WORDS_MAX: usize = 1000;
/// Proxies before the one in front that are looked past.
const HOPS_MAX: usize = 32;

/// What is trusted, and which headers it sends.
#[derive(Clone, Debug)]
pub struct Proxy {
    pub trust: Vec<IpNet>,
    /// What it sends in [`PROXY_SECRET_HEADER`].
    pub secret: Option<SecretString>,
    pub user_header: HeaderName,
    /// With an id that stays when names change; the name where there is none.
    pub id_header: Option<HeaderName>,
    pub groups_header: HeaderName,
    pub groups_separator: char,
    /// Whose value is the name where the user's header is empty.
    pub email_header: HeaderName,
    /// With the words of `amr` (RFC 8176).
    pub factor_header: Option<HeaderName>,
}

/// What a trusted proxy says of who asks: nothing, somebody, or something that cannot be taken for anybody.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxied(pub Option<Result<ProxyPerson, String>>);

impl<S: Send + Sync> FromRequestParts<S> for Proxied {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// Runs before everything else.
pub(crate) async fn trust(State(app): State<App>, mut request: Request, next: Next) -> Response {
    if let Some(proxy) = &app.proxy {
        proxy.look(&mut request);
    }
    next.run(request).await
}

/// The addresses of this machine, as the kernel tells them; none where it does not.
pub fn own_addresses() -> Vec<IpAddr> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let mut own = of_routes(&read("/proc/net/fib_trie"));
    // `fe8000…01 04 40 20 80 eth0`, the address in base 16.
    let six = read("/proc/net/if_inet6");
    let six = six.lines().filter_map(|line| u128::from_str_radix(line.split_whitespace().next()?, 16).ok());
    own.extend(six.map(|bits| IpAddr::from(Ipv6Addr::from_bits(bits))));
    own
}

/// Of `|-- 10.0.0.9` and a line `/32 host LOCAL` behind it.
fn of_routes(trie: &str) -> Vec<IpAddr> {
    let (mut own, mut last) = (Vec::new(), None);
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse::<IpAddr>().ok();
        } else if line == "/32 host LOCAL" {
            own.extend(last);
        }
    }
    own
}

impl Proxy {
    /// Networks and addresses, separated by commas or blanks. The error names what does not fit.
    pub fn parse_trust(text: &str) -> Result<Vec<IpNet>, String> {
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        let trust: Vec<IpNet> = words
            .map(|word| word.parse().or_else(|_| word.parse::<IpAddr>().map(IpNet::from)).map_err(|_| word.to_owned()))
            .collect::<Result<_, _>>()?;
        if trust.len() > TRUST_MAX {
            return Err(format!("… ({} networks, at most {TRUST_MAX})", trust.len()));
        }
        Ok(trust)
    }

    /// Whether everybody on this machine, desktops behind its address translation among them, comes from a trusted address. `own`: this
    /// machine's, which what goes from it to itself comes from, too ([`own_addresses`]).
    pub fn trusts_this_machine(trust: &[IpNet], own: &[IpAddr]) -> bool {
        let loopback = [IpAddr::from([127, 0, 0, 0]), IpAddr::from(Ipv6Addr::LOCALHOST)];
        trust.iter().any(|network| {
            network.addr().to_canonical().is_loopback()
                || loopback.iter().chain(own).any(|address| network.contains(address))
        })
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trust.iter().any(|network| network.contains(&address))
    }

    fn look(&self, request: &mut Request) {
        let peer = request.extensions().get::<Peer>().copied();
        let headers = request.headers();
        let seen = match peer {
            Some(Peer::Tcp { address, tls }) if self.trusts(address.ip()) && self.is_the_proxy(headers) => {
                let behind = Peer::Tcp {
                    address: self.client(headers).map_or(address, |client| SocketAddr::new(client, 0)),
                    tls: last(headers, FORWARDED_PROTO).map_or(tls, |scheme| scheme.eq_ignore_ascii_case("https")),
                };
                Some((behind, self.person(headers)))
            }
            _ => None,
        };
        let all =
            [Some(&self.user_header), self.id_header.as_ref(), Some(&self.groups_header), Some(&self.email_header)];
        let headers = request.headers_mut();
        for name in all.into_iter().flatten().chain(&self.factor_header) {
            headers.remove(name);
        }
        for name in [PROXY_SECRET_HEADER, FORWARDED_FOR, FORWARDED_PROTO] {
            headers.remove(name);
        }
        if let Some((behind, person)) = seen {
            request.extensions_mut().insert(behind);
            request.extensions_mut().insert(Proxied(person.transpose()));
        }
    }

    fn is_the_proxy(&self, headers: &HeaderMap) -> bool {
        let Some(secret) = &self.secret else { return true };
        let mut sent = headers.get_all(PROXY_SECRET_HEADER).iter();
        match (sent.next(), sent.next()) {
            (Some(sent), None) => oriel_identity::equal(sent.as_bytes(), secret.expose_secret().as_bytes()),
            _ => false,
        }
    }

    /// The last address that no trusted proxy has: what stands before it anybody may have written.
    fn client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lines = headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok());
        let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
        for hop in hops.iter().rev().take(HOPS_MAX) {
            let address = hop.parse::<IpAddr>().or_else(|_| hop.parse::<SocketAddr>().map(|at| at.ip())).ok()?;
            if !self.trusts(address) {
                return Some(address.to_canonical());
            }
        }
        None
    }

    /// `None` where it says nothing of anybody. The error is a sentence.
    fn person(&self, headers: &HeaderMap) -> Result<Option<ProxyPerson>, String> {
        let name = match only(headers, &self.user_header)? {
            Some(name) => name,
            None => match only(headers, &self.email_header)? {
                Some(email) => email,
                None => return Ok(None),
            },
        };
        let subject = match &self.id_header {
            Some(header) => only(headers, header)?.ok_or_else(|| format!("the proxy sends no {header}"))?,
            None => name.to_lowercase(),
        };
        let groups = words(headers, &self.groups_header, |c| c == self.groups_separator)?;
        let amr = match &self.factor_header {
            Some(header) => words(headers, header, |c| c == ',' || c == ' ')?,
            None => BTreeSet::new(),
        };
        Ok(Some(ProxyPerson { subject, name, groups, amr }))
    }
}

fn words(
    headers: &HeaderMap,
    name: &HeaderName,
    is_between: impl Fn(char) -> bool,
) -> Result<BTreeSet<String>, String> {
    let Some(value) = single(headers, name)? else { return Ok(BTreeSet::new()) };
    let words: BTreeSet<String> =
        value.split(is_between).map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    if words.len() > WORDS_MAX {
        return Err(format!("the proxy's {name} has more than {WORDS_MAX} words"));
    }
    Ok(words)
}

/// The value of a header that is there once: of two, one may be the browser's.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, String> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = std::str::from_utf8(value.as_bytes()).map_err(|_| format!("the proxy's {name} is not UTF-8"))?;
            Ok(Some(text.trim()))
        }
        _ => Err(format!("{name} is there twice: the proxy must take away what browsers send of it")),
    }
}

/// As [`single`], of a bounded length; `None` when it is empty.
fn only(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, String> {
    let Some(value) = single(headers, name)?.filter(|value| !value.is_empty()) else { return Ok(None) };
    if value.len() > VALUE_BYTES_MAX || value.chars().any(char::is_control) {
        return Err(format!("the proxy's {name} is longer than {VALUE_BYTES_MAX} bytes, or has control characters"));
    }
    Ok(Some(value.to_owned()))
}

/// The last of the values that proxies have written one behind the other.
fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let line = headers.get_all(name).iter().next_back().map(HeaderValue::to_str)?.ok()?;
    line.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{body::Body, http};

    fn proxy(secret: Option<&str>) -> Proxy {
        Proxy {
            trust: Proxy::parse_trust("10.0.0.5, 192.168.7.0/24").unwrap(),
            secret: secret.map(SecretString::from),
            user_header: HeaderName::from_static("remote-user"),
            id_header: None,
            groups_header: HeaderName::from_static("remote-groups"),
            groups_separator: ',',
            email_header: HeaderName::from_static("remote-email"),
            factor_header: Some(HeaderName::from_static("remote-amr")),
        }
    }

    /// What is left of a request, its peer, and who it is by.
    fn looked(proxy: &Proxy, from: &str, headers: &[(&str, &str)]) -> (HeaderMap, Peer, Proxied) {
        let mut request = http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer::Tcp { address: SocketAddr::new(from.parse().unwrap(), 9), tls: false });
        proxy.look(&mut request);
        let peer = *request.extensions().get::<Peer>().unwrap();
        let proxied = request.extensions().get::<Proxied>().cloned().unwrap_or_default();
        (request.headers().clone(), peer, proxied)
    }

    const ALL: [(&str, &str); 6] = [
        ("Remote-User", "ada"),
        ("Remote-Groups", "staff, it admins,"),
        ("Remote-Email", "ada@lab.example"),
        ("Remote-Amr", "pwd otp"),
        ("X-Forwarded-For", "203.0.113.9, 198.51.100.7, 192.168.7.3"),
        ("X-Forwarded-Proto", "https"),
    ];

    #[test]
    fn a_trusted_proxy_says_who_asks() {
        let (headers, peer, proxied) = looked(&proxy(None), "10.0.0.5", &ALL);
        assert!(headers.is_empty(), "{headers:?}");
        // What stands before the last address that is not a proxy's, browsers can write.
        assert_eq!(peer, Peer::Tcp { address: "198.51.100.7:0".parse().unwrap(), tls: true });
        let person = proxied.0.unwrap().unwrap();
        assert_eq!((person.subject.as_str(), person.name.as_str()), ("ada", "ada"));
        assert_eq!(person.groups.iter().map(String::as_str).collect::<Vec<_>>(), ["it admins", "staff"]);
        assert_eq!(person.amr.iter().map(String::as_str).collect::<Vec<_>>(), ["otp", "pwd"]);
        let by_mail = looked(&proxy(None), "192.168.7.200", &[("remote-email", "Ada@lab.example")]).2;
        assert_eq!(by_mail.0.unwrap().unwrap().subject, "ada@lab.example");
        assert!(looked(&proxy(None), "10.0.0.5", &[("remote-groups", "staff")]).2.0.is_none());
        let mapped = looked(&proxy(None), "::ffff:10.0.0.5", &ALL).2;
        assert!(mapped.0.unwrap().is_ok());
    }

    #[test]
    fn from_others_it_means_nothing() {
        for from in ["10.0.0.6", "127.0.0.1", "::1", "203.0.113.1"] {
            let (headers, peer, proxied) = looked(&proxy(None), from, &ALL);
            assert!(headers.is_empty() && proxied.0.is_none(), "{from}: {headers:?}");
            assert_eq!(peer, Peer::Tcp { address: SocketAddr::new(from.parse().unwrap(), 9), tls: false });
        }
        let secret = proxy(Some("hush"));
        for headers in [&ALL[..], &[("Remote-User", "ada"), ("Oriel-Proxy-Secret", "hus")]] {
            let (left, _, proxied) = looked(&secret, "10.0.0.5", headers);
            assert!(left.is_empty() && proxied.0.is_none(), "{left:?}");
        }
        let twice = [("Remote-User", "ada"), ("Oriel-Proxy-Secret", "hush"), ("Oriel-Proxy-Secret", "hush")];
        assert!(looked(&secret, "10.0.0.5", &twice).2.0.is_none());
        assert!(looked(&secret, "10.0.0.5", &twice[..2]).2.0.unwrap().is_ok());
    }

    #[test]
    fn what_browsers_may_have_sent_along_is_nobody() {
        for headers in [
            &[("Remote-User", "root"), ("Remote-User", "ada")][..],
            &[("Remote-User", "ada"), ("Remote-Groups", "admins"), ("Remote-Groups", "staff")],
            &[("Remote-User", "ada"), ("Remote-Amr", "otp"), ("Remote-Amr", "pwd")],
        ] {
            assert!(looked(&proxy(None), "10.0.0.5", headers).2.0.unwrap().unwrap_err().contains("twice"));
        }
        let long = "a".repeat(256);
        assert!(looked(&proxy(None), "10.0.0.5", &[("Remote-User", long.as_str())]).2.0.unwrap().is_err());
        let by_id = Proxy { id_header: Some(HeaderName::from_static("remote-id")), ..proxy(None) };
        assert!(looked(&by_id, "10.0.0.5", &[("Remote-User", "ada")]).2.0.unwrap().is_err());
        let with_id = looked(&by_id, "10.0.0.5", &[("Remote-User", "ada"), ("Remote-Id", "7f")]).2;
        assert_eq!(with_id.0.unwrap().unwrap().subject, "7f");
    }

    #[test]
    fn this_machine_is_known() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 10.9.0.0\n        /16 link UNICAST\n\
                    \x20    |-- 10.9.0.2\n        /32 host LOCAL\n     |-- 10.9.255.255\n        /32 link BROADCAST\n";
        let own = of_routes(trie);
        assert_eq!(own, [IpAddr::from([10, 9, 0, 2])]);
        for (text, here) in [
            ("10.9.0.2", true),
            ("10.9.0.3", false),
            ("10.9.0.0/24", true),
            ("127.0.0.1", true),
            ("::1", true),
            ("0.0.0.0/0", true),
            ("127.0.0.2", true),
            ("10.0.0.0/16", false),
            ("", false),
        ] {
            assert_eq!(Proxy::trusts_this_machine(&Proxy::parse_trust(text).unwrap(), &own), here, "{text}");
        }
        assert_eq!(Proxy::parse_trust("10.0.0.5,proxy.lab"), Err("proxy.lab".to_owned()));
    }
}
