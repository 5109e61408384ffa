//! Kerberos: which realms there are, whose accounts are theirs, and asking their KDCs. All of it is the configuration's to say; neither a
//! machine nor DNS names a KDC.

mod ask;

use crate::guest::{GuestAccount, GuestKerberos};
use crate::{Broker, BrokerError};
use oriel_kerberos::{Envelope, check_realm, is_question_of};
use oriel_model::{Desktop, DesktopId, External, MachineParameters, MachineProtocol, RdpAuthentication, RdpSecurity};
use std::collections::BTreeMap;
use std::net::IpAddr;
use url::Url;

/// Realms that the configuration may name, and names of domains for them.
const REALMS_MAX: usize = 64;
/// KDCs of one realm.
const KDCS_MAX: usize = 8;
/// RFC 4120 §7.2.1.
const KDC_PORT: u16 = 88;

/// Where a realm's KDC is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// Over TCP.
    Kdc { host: String, port: u16 },
    /// A proxy for it (MS-KKDCP), over HTTPS.
    Proxy(Url),
}

impl Place {
    fn parse(word: &str) -> Result<Self, String> {
        let wrong = || format!("{word:?} is no KDC: write HOST, HOST:PORT or https://HOST/KdcProxy");
        if word.contains("://") {
            let url = Url::parse(word).ok().filter(|url| url.scheme() == "https" && url.host().is_some());
            let plain = url.filter(|url| url.username().is_empty() && url.password().is_none());
            return plain.map(Self::Proxy).ok_or_else(wrong);
        }
        // An IPv6 address is bare, or has brackets before its port.
        let (host, port) = match (word.parse::<IpAddr>(), word.rsplit_once(':')) {
            (Err(_), Some((host, port))) => {
                (host, port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong)?)
            }
            _ => (word, KDC_PORT),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        oriel_model::check_host(host)?;
        Ok(Self::Kdc { host: host.to_owned(), port })
    }
}

/// The realms of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Realms {
    realms: BTreeMap<String, Vec<Place>>,
    /// Other names of their domains, in capitals: those before the backslash.
    domains: BTreeMap<String, String>,
}

impl Realms {
    /// `realms`: `CORP.EXAMPLE=dc1.corp.example dc2.corp.example:88, LAB.EXAMPLE=https://edge.example/KdcProxy`. `domains`:
    /// `CORP=CORP.EXAMPLE`.
    ///
    /// # Errors
    /// What does not fit, and what does.
    pub fn parse(realms: &str, domains: &str) -> Result<Self, String> {
        let pairs = |text: &str| -> Result<Vec<(String, String)>, String> {
            let parts: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
            if parts.len() > REALMS_MAX {
                return Err(format!("there are {} of them, and at most {REALMS_MAX} can be", parts.len()));
            }
            let pair = |part: &str| -> Result<(String, String), String> {
                let (name, value) = part.split_once('=').ok_or_else(|| format!("{part:?} has no = in it"))?;
                Ok((name.trim().to_owned(), value.trim().to_owned()))
            };
            parts.into_iter().map(pair).collect()
        };
        let mut read = Self::default();
        for (realm, places) in pairs(realms)? {
            check_realm(&realm)?;
            let places = places.split_whitespace().map(Place::parse).collect::<Result<Vec<_>, _>>()?;
            if !(1..=KDCS_MAX).contains(&places.len()) {
                return Err(format!("{realm} has {} KDCs: name 1 to {KDCS_MAX}", places.len()));
            }
            read.realms.insert(realm, places);
        }
        for (domain, realm) in pairs(domains)? {
            if !read.realms.contains_key(&realm) {
                return Err(format!("{domain} is said to be {realm}, which is none of kerberos.realms"));
            }
            read.domains.insert(domain.to_ascii_uppercase(), realm);
        }
        Ok(read)
    }

    /// The realm of a domain as people write it: `corp.example` or `CORP`.
    fn of(&self, domain: &str) -> Option<&str> {
        let domain = domain.trim_end_matches('.').to_ascii_uppercase();
        let realm = self.realms.get_key_value(&domain).map(|(realm, _)| realm).or_else(|| self.domains.get(&domain));
        realm.map(String::as_str)
    }

    /// The only one there is.
    fn only(&self) -> Option<&str> {
        match self.realms.len() {
            1 => self.realms.keys().next().map(String::as_str),
            _ => None,
        }
    }

    /// The realm of an account that names this domain, or none. `is_alone`: it has one.
    fn of_account(&self, domain: Option<&str>, is_alone: bool) -> Option<&str> {
        match domain {
            Some(domain) => self.of(domain),
            // Without a domain an account is the machine's own, unless there is no such thing there.
            None if is_alone => self.only(),
            None => None,
        }
    }

    fn places(&self, realm: &str) -> &[Place] {
        self.realms.get(realm).map(Vec::as_slice).unwrap_or_default()
    }
}

/// An account's domain, where it has one, and its name in it: `CORP\anna`, `anna@corp.example`, or apart.
fn parts<'a>(user: &'a str, domain: Option<&'a str>) -> (Option<&'a str>, &'a str) {
    match (domain, user.split_once('\\'), user.rsplit_once('@')) {
        (_, Some((domain, user)), _) => (Some(domain), user),
        (Some(domain), None, _) => (Some(domain), user),
        (None, None, Some((user, domain))) => (Some(domain), user),
        (None, None, None) => (None, user),
    }
}

/// How a machine may be signed in to with Kerberos by its parameters.
fn is_wanted(parameters: &MachineParameters) -> bool {
    parameters.authentication != Some(RdpAuthentication::Ntlm)
        && !matches!(parameters.security, Some(RdpSecurity::Tls | RdpSecurity::Vmconnect))
}

impl Broker {
    /// Says which realms there are, once.
    pub fn set_realms(&self, realms: Realms) {
        self.inner.realms.set(realms).ok();
    }

    fn realms(&self) -> &Realms {
        self.inner.realms.get_or_init(Realms::default)
    }

    /// How an RDP machine is signed in to with Kerberos; `None`: with NTLM. `host` is what the machine is called.
    ///
    /// # Errors
    /// Kerberos alone is allowed, and something is missing for it.
    pub(crate) fn kerberos_of(
        &self,
        machine: &Desktop,
        parameters: &MachineParameters,
        account: &GuestAccount,
        host: &str,
    ) -> Result<Option<GuestKerberos>, BrokerError> {
        let is_alone = parameters.authentication == Some(RdpAuthentication::Kerberos);
        let refused = |what: String, next: String| {
            if is_alone {
                let text = format!("{} is signed in to with Kerberos alone, and {what}", machine.name);
                Err(BrokerError::conflict("no_kerberos", text, next))
            } else {
                Ok(None)
            }
        };
        if !is_wanted(parameters) {
            return Ok(None);
        }
        let set = |what: &str| format!("oriel machine set {} {what}", machine.name);
        let Some(user) = account.user.as_deref().filter(|_| account.password.is_some()) else {
            return refused(
                "no account with a password is kept for it".to_owned(),
                set("--user USER --password-file -"),
            );
        };
        if host.parse::<IpAddr>().is_ok() {
            return refused(
                format!("{host} is an address: Kerberos knows machines by their names"),
                set("--address NAME"),
            );
        }
        let (domain, user) = parts(user, parameters.domain.as_deref());
        let Some(realm) = self.realms().of_account(domain, is_alone) else {
            let what = match domain {
                Some(domain) => {
                    format!("{domain} is none of the realms of the configuration (kerberos.realms, kerberos.domains)")
                }
                None => "its account names no domain".to_owned(),
            };
            return refused(what, set("--domain DOMAIN"));
        };
        // Names travel as IA5String.
        if !user.is_ascii() {
            return refused(
                format!("the name {user} has letters that its tickets cannot have"),
                set("--authentication ntlm"),
            );
        }
        Ok(Some(GuestKerberos {
            realm: realm.to_owned(),
            user: user.to_owned(),
            host: host.trim_end_matches('.').to_owned(),
            or_ntlm: !is_alone,
        }))
    }

    /// Asks a KDC for who signs in to a machine: `question` is an envelope of `oriel_kerberos` as it is written, and so is the answer.
    ///
    /// # Errors
    /// It is no question of the machine's account, of a realm that the configuration does not name or of a machine without Kerberos, or
    /// nobody answers. Texts fit the middle of a sentence.
    pub async fn ask_kdc(&self, desktop: DesktopId, question: &[u8]) -> Result<Vec<u8>, BrokerError> {
        let refused = |text: String| {
            BrokerError::conflict("kdc_unreachable", text, "see \"Kerberos\" in docs/external-machines.md")
        };
        let machine = self.inner.store.desktop(desktop).await?;
        let takes = |external: &External| external.protocol == MachineProtocol::Rdp && is_wanted(&external.parameters);
        let external = machine.and_then(|machine| machine.external).filter(takes);
        let account = external.as_ref().and_then(|external| {
            let is_alone = external.parameters.authentication == Some(RdpAuthentication::Kerberos);
            let (domain, user) = parts(external.user.as_deref()?, external.parameters.domain.as_deref());
            Some((self.realms().of_account(domain, is_alone)?, user))
        });
        let Some((home, user)) = account else {
            return Err(refused("this machine is not signed in to with Kerberos".to_owned()));
        };
        let envelope = Envelope::read(question).map_err(|error| refused(error.to_string()))?;
        // Who asks is a process that a machine may have taken over: it tries no passwords of others.
        let fits = is_question_of(&envelope.message, home, user);
        let Some(realm) = envelope.realm.as_deref().filter(|_| fits) else {
            return Err(refused("it was asked for something else than a ticket of the machine's account".to_owned()));
        };
        let places = self.realms().places(realm);
        if places.is_empty() {
            return Err(refused(format!("{realm} is none of kerberos.realms in Oriel's configuration")));
        }
        ask::ask(self.outside(), places, &envelope).await.map_err(|why| {
            tracing::warn!(realm, %why, "No KDC of a realm answers");
            refused(why.for_people)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn realms_are_found_by_all_their_names() {
        let realms = Realms::parse(
            "CORP.EXAMPLE=dc1.corp.example dc2.corp.example:8888 [2001:db8::7]:89 2001:db8::8, LAB.EXAMPLE = https://edge.example/KdcProxy",
            "corp=CORP.EXAMPLE",
        )
        .unwrap();
        for name in ["corp.example", "CORP", "Corp", "corp.example."] {
            assert_eq!(realms.of(name), Some("CORP.EXAMPLE"), "{name}");
        }
        assert_eq!((realms.of("example"), realms.only()), (None, None));
        let at = |host: &str, port| Place::Kdc { host: host.to_owned(), port };
        let wanted =
            [at("dc1.corp.example", 88), at("dc2.corp.example", 8888), at("2001:db8::7", 89), at("2001:db8::8", 88)];
        assert_eq!(realms.places("CORP.EXAMPLE"), wanted);
        assert!(matches!(realms.places("LAB.EXAMPLE"), [Place::Proxy(_)]));
        assert_eq!(Realms::parse("A.B=c", "").unwrap().only(), Some("A.B"));
        for (realms, domains, why) in [
            ("corp.example=dc1", "", "in capitals"),
            ("CORP.EXAMPLE", "", "no = in it"),
            ("CORP.EXAMPLE=", "", "has 0 KDCs"),
            ("CORP.EXAMPLE=http://edge.example/", "", "is no KDC"),
            ("CORP.EXAMPLE=https://a:b@edge.example/", "", "is no KDC"),
            ("CORP.EXAMPLE=dc1:0", "", "is no KDC"),
            ("CORP.EXAMPLE=dc_1/x", "", "neither an address nor a host name"),
            ("CORP.EXAMPLE=dc1", "LAB=LAB.EXAMPLE", "none of kerberos.realms"),
        ] {
            let error = Realms::parse(realms, domains).unwrap_err();
            assert!(error.contains(why), "{realms}: {error}");
        }
    }

    #[test]
    fn accounts_are_written_in_three_ways() {
        assert_eq!(parts("CORP\\anna", None), (Some("CORP"), "anna"));
        assert_eq!(parts("anna@corp.example", None), (Some("corp.example"), "anna"));
        assert_eq!(parts("anna", Some("CORP")), (Some("CORP"), "anna"));
        assert_eq!(parts("anna", None), (None, "anna"));
        // Names may have the sign in them.
        assert_eq!(parts("anna@home", Some("CORP")), (Some("CORP"), "anna@home"));
    }
}
