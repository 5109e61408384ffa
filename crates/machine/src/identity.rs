//! What a guest is born with: an account, its password, the keys it shows and the key it accepts.
//!
//! Made once per generation and given to the guest in its seed, so the gateway knows whom it talks to from the first
//! connection on: no trust on first use.

use rand::{Rng, RngCore};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ssh_key::{LineEnding, PrivateKey, private::Ed25519Keypair};

/// Letters and digits that nobody confuses and that lie on the same keys in most layouts.
const PASSWORD_ALPHABET: &[u8; 32] = b"abcdefghijkmnopqrstuvwx123456789";
/// 24 of 32 characters: 120 bits.
const PASSWORD_CHARS: usize = 24;
/// Longest account name that `useradd` takes.
const USER_CHARS_MAX: usize = 32;
const USER_FALLBACK: &str = "user";
/// Accounts that a Linux system has already.
const USERS_TAKEN: [&str; 30] = [
    "root",
    "daemon",
    "bin",
    "sys",
    "sync",
    "games",
    "man",
    "lp",
    "mail",
    "news",
    "uucp",
    "proxy",
    "backup",
    "list",
    "irc",
    "nobody",
    "messagebus",
    "sshd",
    "xrdp",
    "lightdm",
    "avahi",
    "polkitd",
    "pulse",
    "adm",
    "sudo",
    "audio",
    "video",
    "users",
    "nogroup",
    "gnats",
];

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("cannot make the guest's SSH key: {0}")]
    Ssh(#[from] ssh_key::Error),
    #[error("cannot make the guest's RDP certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("cannot read the stored identity of a guest; recycle the desktop to give it a new one: {0}")]
    Stored(#[from] serde_json::Error),
    #[error("cannot hash the guest's password: {0}")]
    Hash(String),
}

/// All that is secret is typed so; `Debug` shows none of it.
#[derive(Clone, Debug)]
pub struct GuestIdentity {
    /// The account inside the guest.
    pub user: String,
    pub password: SecretString,
    /// OpenSSH private key (ed25519), the guest's host key.
    pub ssh_host_key: SecretString,
    /// `ssh-ed25519 AAAA…`: what the gateway pins.
    pub ssh_host_public: String,
    /// OpenSSH private key (ed25519) with which the gateway signs in.
    pub client_key: SecretString,
    /// `ssh-ed25519 AAAA…`: what the guest accepts.
    pub client_public: String,
    /// PEM.
    pub rdp_certificate: String,
    /// PEM, PKCS #8, ECDSA P-256.
    pub rdp_key: SecretString,
    /// SHA-256 of the certificate's DER, lowercase hex: what the gateway pins.
    pub rdp_certificate_sha256: String,
}

/// The same as stored; only ever inside a [`SecretString`].
#[derive(Serialize, Deserialize)]
struct Stored {
    user: String,
    password: String,
    ssh_host_key: String,
    ssh_host_public: String,
    client_key: String,
    client_public: String,
    rdp_certificate: String,
    rdp_key: String,
    rdp_certificate_sha256: String,
}

impl GuestIdentity {
    /// A fresh identity for the guest called `host`. `person` is whose desktop it is, if anybody's: the account is named
    /// after them as far as Linux allows.
    pub fn generate(host: &oriel_model::Name, person: Option<&str>) -> Result<Self, IdentityError> {
        let (ssh_host_key, ssh_host_public) = ssh_pair(host.as_str())?;
        let (client_key, client_public) = ssh_pair("oriel")?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut parameters = CertificateParams::new([host.as_str().to_owned()])?;
        parameters.distinguished_name.push(DnType::CommonName, host.as_str());
        let certificate = parameters.self_signed(&key)?;
        Ok(Self {
            user: account_name(person.unwrap_or_default()),
            password: password(),
            ssh_host_key,
            ssh_host_public,
            client_key,
            client_public,
            rdp_certificate: certificate.pem(),
            rdp_key: key.serialize_pem().into(),
            rdp_certificate_sha256: hex(&Sha256::digest(certificate.der())),
        })
    }

    /// For the store, which encrypts it.
    pub fn to_json(&self) -> Result<SecretString, IdentityError> {
        let stored = Stored {
            user: self.user.clone(),
            password: self.password.expose_secret().to_owned(),
            ssh_host_key: self.ssh_host_key.expose_secret().to_owned(),
            ssh_host_public: self.ssh_host_public.clone(),
            client_key: self.client_key.expose_secret().to_owned(),
            client_public: self.client_public.clone(),
            rdp_certificate: self.rdp_certificate.clone(),
            rdp_key: self.rdp_key.expose_secret().to_owned(),
            rdp_certificate_sha256: self.rdp_certificate_sha256.clone(),
        };
        Ok(serde_json::to_string(&stored)?.into())
    }

    pub fn from_json(json: &SecretString) -> Result<Self, IdentityError> {
        let stored: Stored = serde_json::from_str(json.expose_secret())?;
        Ok(Self {
            user: stored.user,
            password: stored.password.into(),
            ssh_host_key: stored.ssh_host_key.into(),
            ssh_host_public: stored.ssh_host_public,
            client_key: stored.client_key.into(),
            client_public: stored.client_public,
            rdp_certificate: stored.rdp_certificate,
            rdp_key: stored.rdp_key.into(),
            rdp_certificate_sha256: stored.rdp_certificate_sha256,
        })
    }
}

fn ssh_pair(comment: &str) -> Result<(SecretString, String), IdentityError> {
    let mut seed = [0; 32];
    rand::rng().fill_bytes(&mut seed);
    let mut key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
    key.set_comment(comment);
    Ok((key.to_openssh(LineEnding::LF)?.as_str().into(), key.public_key().to_openssh()?))
}

pub(crate) fn password() -> SecretString {
    let mut random = rand::rng();
    (0..PASSWORD_CHARS)
        .filter_map(|_| PASSWORD_ALPHABET.get(random.random_range(0..PASSWORD_ALPHABET.len())).copied().map(char::from))
        .collect::<String>()
        .into()
}

/// `Zoë.Müller` becomes `zo.mller`, nothing usable becomes `user`.
fn account_name(person: &str) -> String {
    account_of(person).unwrap_or_else(|| String::from(USER_FALLBACK))
}

/// As [`account_name`]; `None` where nothing usable is left.
pub(crate) fn account_of(person: &str) -> Option<String> {
    let name: String = person
        .to_lowercase()
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'))
        .skip_while(|c| !c.is_ascii_lowercase())
        .take(USER_CHARS_MAX)
        .collect();
    let is_taken = name.is_empty()
        || name == USER_FALLBACK
        || USERS_TAKEN.contains(&name.as_str())
        || name.starts_with("systemd-");
    (!is_taken).then_some(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_being_stored_and_hides_its_secrets() {
        let identity = GuestIdentity::generate(&"studio-1".parse().unwrap(), Some("Alice")).unwrap();
        let again = GuestIdentity::from_json(&identity.to_json().unwrap()).unwrap();
        assert_eq!(again.user, "alice");
        assert_eq!(again.password.expose_secret(), identity.password.expose_secret());
        assert_eq!(again.rdp_key.expose_secret(), identity.rdp_key.expose_secret());
        assert_eq!(again.rdp_certificate_sha256.len(), 64);
        assert_eq!(identity.password.expose_secret().len(), PASSWORD_CHARS);
        assert!(identity.ssh_host_key.expose_secret().starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
        assert!(identity.ssh_host_public.starts_with("ssh-ed25519 AAAA"), "{}", identity.ssh_host_public);
        let shown = format!("{identity:?}");
        assert!(!shown.contains(identity.password.expose_secret()) && !shown.contains("PRIVATE"), "{shown}");
    }

    #[test]
    fn two_guests_share_nothing() {
        let make = || GuestIdentity::generate(&"a".parse().unwrap(), None).unwrap();
        let (one, two) = (make(), make());
        assert_ne!(one.password.expose_secret(), two.password.expose_secret());
        assert_ne!(one.ssh_host_public, two.ssh_host_public);
        assert_ne!(one.client_public, two.client_public);
        assert_ne!(one.rdp_certificate_sha256, two.rdp_certificate_sha256);
    }

    #[test]
    fn account_names_are_ones_linux_takes() {
        for (person, account) in [
            ("alice", "alice"),
            ("Zoë.Müller", "zo.mller"),
            ("root", "user"),
            ("", "user"),
            ("1234", "user"),
            ("-rf", "rf"),
            ("a b;c", "abc"),
            ("systemd-network", "user"),
        ] {
            assert_eq!(account_name(person), account, "{person}");
        }
        assert_eq!(account_name(&"x".repeat(99)).len(), USER_CHARS_MAX);
    }
}
