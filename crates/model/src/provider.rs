//! Where people sign in who do not do it here: a provider of identities that speaks OpenID Connect.

use crate::{GroupId, Micros, ProviderId, Role, UserId};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    pub id: ProviderId,
    /// Unique, compared without case; what the button at the door says.
    pub name: String,
    pub enabled: bool,
    pub settings: ProviderSettings,
    pub created: Micros,
}

/// How it is asked. The client's secret is not among it: it is sealed apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProviderSettings {
    /// As the provider writes it in its tokens: `https://HOST[:PORT][/PATH]`.
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// Who signs its certificate, as PEM; who this machine trusts when it is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// SHA-256 of its certificate in lowercase hex: that one and no other, whoever signed it and whatever its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim with the person's name here; `preferred_username` when it is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_claim: Option<String>,
    /// The claim with their groups; `groups` when it is empty. Dots go into objects: `realm_access.roles`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups_claim: Option<String>,
    /// Only who is in a group that is mapped below may sign in.
    pub only_mapped: bool,
    pub groups: Vec<ClaimedGroup>,
    /// The first that fits says the role; `user` where none does. Without any, roles are left alone.
    pub roles: Vec<ClaimedRole>,
    /// The provider is to ask people who they are at each sign-in, also those whom it knows still.
    pub ask_again: bool,
    /// A token with one of these as `acr` shows that its person gave a second factor there.
    pub factor_acr: Vec<String>,
    /// The same, with one of these in `amr`.
    pub factor_amr: Vec<String>,
}

/// Whoever has that value in the claim of groups is a member of this group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedGroup {
    pub value: String,
    pub group: GroupId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedRole {
    pub value: String,
    pub role: Role,
}

/// Who of ours is who of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderPerson {
    pub user: UserId,
    pub provider: ProviderId,
    /// `sub`: never given to somebody else (OpenID Connect Core, section 2).
    pub subject: String,
    /// Let in when they were last seen.
    pub active: bool,
    pub seen: Micros,
}

/// Providers that there may be.
pub const PROVIDERS_MAX: usize = 10;
/// Characters of a `sub`: 255 by the specification.
pub const SUBJECT_CHARS_MAX: usize = 255;
const TEXT_CHARS_MAX: usize = 1000;
const CA_BYTES_MAX: usize = 64 << 10;
const MAPPINGS_MAX: usize = 200;
const WORDS_MAX: usize = 20;

impl Provider {
    pub const NAME_CHARS_MAX: usize = 60;

    /// Whether it can be asked. The error is a sentence.
    pub fn check(&self) -> Result<(), String> {
        let length = self.name.chars().count();
        if !(1..=Self::NAME_CHARS_MAX).contains(&length)
            || self.name.trim() != self.name
            || self.name.chars().any(|c| c.is_control() || c == '/')
        {
            return Err(format!("a provider's name has 1 to {} characters without slashes", Self::NAME_CHARS_MAX));
        }
        self.settings.check()
    }
}

/// The issuer of the provider that is no provider, but the proxy in front.
const PROXY: &str = "proxy";

impl ProviderSettings {
    /// Those of the proxy in front, which says itself who people are and is never asked.
    pub fn of_proxy() -> Self {
        Self { issuer: PROXY.to_owned(), client_id: "oriel".to_owned(), ..Self::default() }
    }

    pub fn is_proxy(&self) -> bool {
        self.issuer == PROXY
    }

    pub fn name_claim(&self) -> &str {
        self.name_claim.as_deref().unwrap_or("preferred_username")
    }

    pub fn groups_claim(&self) -> &str {
        self.groups_claim.as_deref().unwrap_or("groups")
    }

    fn check(&self) -> Result<(), String> {
        let rest = self.issuer.strip_prefix("https://").or_else(|| self.issuer.strip_prefix("http://"));
        let host = rest.unwrap_or_default().split('/').next().unwrap_or_default();
        if self.is_proxy() {
            if self.ca.is_some() || self.pin.is_some() || self.ask_again || !self.factor_acr.is_empty() {
                return Err("a proxy in front is not asked: leave ca, pin, ask_again and factor_acr out".to_owned());
            }
        } else if host.is_empty() || self.issuer.contains(['?', '#', '@', '\\']) {
            return Err("an issuer is https://HOST[:PORT][/PATH], as the provider calls itself".to_owned());
        }
        if self.issuer.starts_with("http://") {
            if !is_loopback(host) {
                return Err("an issuer without TLS is taken from this machine only (http://127.0.0.1): \
                    whoever is on the way could sign in as anybody"
                    .to_owned());
            }
            if self.ca.is_some() || self.pin.is_some() {
                return Err(
                    "a certificate is checked where there is TLS: leave ca and pin out, or use https".to_owned()
                );
            }
        }
        if self.client_id.is_empty() {
            return Err("say who we are there (client_id)".to_owned());
        }
        if self.ca.is_some() && self.pin.is_some() {
            return Err("either say who signs the certificate (ca), or which one it is (pin)".to_owned());
        }
        if let Some(pin) = &self.pin
            && (pin.len() != 64 || !pin.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
        {
            return Err("a pin is a SHA-256 in 64 lowercase hexadecimal digits, without colons".to_owned());
        }
        if self.ca.as_ref().is_some_and(|ca| ca.len() > CA_BYTES_MAX) {
            return Err(format!("a CA file has at most {CA_BYTES_MAX} bytes"));
        }
        let words = || [&self.scopes, &self.factor_acr, &self.factor_amr];
        if words().into_iter().any(|some| some.len() > WORDS_MAX) {
            return Err(format!("at most {WORDS_MAX} scopes, acr and amr each can be named"));
        }
        // RFC 6749, section 3.3: what a word of a list of words may have.
        let is_word = |text: &String| {
            (1..=100).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
        };
        if let Some(bad) = words().into_iter().flatten().find(|word| !is_word(word)) {
            return Err(format!("{:?} is no word of ASCII", bad.chars().take(80).collect::<String>()));
        }
        let long = |text: &str| text.chars().count() > TEXT_CHARS_MAX || text.chars().any(char::is_control);
        let texts = [Some(&self.issuer), Some(&self.client_id), self.name_claim.as_ref(), self.groups_claim.as_ref()];
        let values = self.groups.iter().map(|one| &one.value).chain(self.roles.iter().map(|one| &one.value));
        if texts.into_iter().flatten().chain(values.clone()).any(|text| long(text)) {
            return Err(format!("a text of it is longer than {TEXT_CHARS_MAX} characters, or has control characters"));
        }
        if [&self.name_claim, &self.groups_claim].into_iter().flatten().chain(values).any(String::is_empty) {
            return Err("a claim or a value to be mapped is empty".to_owned());
        }
        if self.groups.len() + self.roles.len() > MAPPINGS_MAX {
            return Err(format!("at most {MAPPINGS_MAX} groups and roles can be mapped"));
        }
        if self.roles.iter().any(|one| one.role == Role::PoolAdmin) {
            return Err("a provider cannot say which pools a pool admin administers: give that role here".to_owned());
        }
        Ok(())
    }
}

/// `HOST[:PORT]` on this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_asked_is_said() {
        let good = ProviderSettings {
            issuer: "https://id.lab/realms/lab".into(),
            client_id: "oriel".into(),
            scopes: vec!["profile".into()],
            ..ProviderSettings::default()
        };
        let check = |settings: ProviderSettings| settings.check().err().unwrap_or_default();
        assert_eq!(check(good.clone()), "");
        let with = |change: &dyn Fn(&mut ProviderSettings)| {
            let mut settings = good.clone();
            change(&mut settings);
            check(settings)
        };
        assert_eq!(check(ProviderSettings::of_proxy()), "");
        assert!(check(ProviderSettings { ask_again: true, ..ProviderSettings::of_proxy() }).contains("not asked"));
        for loopback in ["http://127.0.0.1:9000", "http://localhost/x", "http://[::1]:9000/"] {
            assert_eq!(with(&|s| s.issuer = loopback.into()), "", "{loopback}");
        }
        for elsewhere in ["http://id.lab", "http://127.0.0.1.evil.lab", "http://localhost.evil.lab:80"] {
            assert!(with(&|s| s.issuer = elsewhere.into()).contains("without TLS"), "{elsewhere}");
        }
        for bad in ["", "id.lab", "https://", "ftp://id.lab", "https://a@b", "https://id.lab/?x=1", "https://id.lab#a"]
        {
            assert!(with(&|s| s.issuer = bad.into()).contains("an issuer is"), "{bad}");
        }
        assert!(with(&|s| s.client_id.clear()).contains("client_id"));
        assert!(with(&|s| s.pin = Some("AB".repeat(32))).contains("lowercase"));
        assert!(with(&|s| s.scopes = vec!["a b".into()]).contains("no word"));
        assert!(with(&|s| s.name_claim = Some(String::new())).contains("empty"));
        let admin = ClaimedRole { value: "boss".into(), role: Role::PoolAdmin };
        assert!(with(&|s| s.roles = vec![admin.clone()]).contains("pool admin"));
    }
}
