//! Who may use the device: names and argon2 hashes, codes of a second factor, sessions that a cookie names.

use crate::answer::Refusal;
use oriel_identity::{TOTP_DIGITS, Throttle, check_totp, random_token, sha256_hex, verify_password};
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Most accounts, and the longest file of them, in bytes.
pub const ACCOUNTS_MAX: usize = 256;
pub const ACCOUNTS_BYTES_MAX: usize = 256 << 10;
/// Longest password with its code, in bytes.
const PASSWORD_BYTES_MAX: usize = 512;
/// Sessions at a time: with more, the oldest ends.
const SESSIONS_MAX: usize = 256;
/// Programs that send their password with each request are not asked for a whole hash each time.
const KNOWN_MAX: usize = 64;
const KNOWN_FOR: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AccountError {
    #[error(
        "line {line} of the accounts is none: {why}; a line is NAME:HASH or NAME:HASH:TOTP, the hash as argon2 prints it ($argon2id$…)"
    )]
    Line { line: usize, why: &'static str },
    #[error("there are more than {ACCOUNTS_MAX} accounts")]
    TooMany,
    #[error("{0:?} is no name of an account: small letters, digits, and . _ @ - after the first")]
    Name(String),
    #[error("a password is made of at most {PASSWORD_BYTES_MAX} visible characters of ASCII")]
    Password,
    #[error("the password cannot be kept: {0}")]
    Hash(String),
}

/// `[a-z_]`, then those with digits and `.@-`, and none of `.@` at the end.
fn is_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let later = |byte: u8| word(byte) || byte.is_ascii_digit() || b".@-".contains(&byte);
    let bytes = name.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => {
            bytes.len() <= 64 && word(*first) && bytes.iter().all(|byte| later(*byte)) && !b".@".contains(last)
        }
        _ => false,
    }
}

fn is_password(password: &str) -> bool {
    password.len() <= PASSWORD_BYTES_MAX && password.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

#[derive(Clone, Debug)]
struct Account {
    name: String,
    /// A PHC string.
    hash: String,
    /// In base 32.
    totp: Option<SecretString>,
}

/// Those who may. With none of them, everybody may.
#[derive(Clone, Debug, Default)]
pub struct Accounts(Vec<Account>);

impl Accounts {
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one by its password. Takes tens of milliseconds.
    ///
    /// # Errors
    /// The name or the password is none that clients can send.
    pub fn add(&mut self, name: &str, password: &SecretString, totp: Option<SecretString>) -> Result<(), AccountError> {
        if !is_name(name) {
            return Err(AccountError::Name(name.chars().take(64).collect()));
        }
        if !is_password(password.expose_secret()) || password.expose_secret().is_empty() {
            return Err(AccountError::Password);
        }
        let hash = oriel_identity::hash_password(password).map_err(|error| AccountError::Hash(error.to_string()))?;
        self.put(Account { name: name.to_owned(), hash, totp })
    }

    /// Adds those of a file: `NAME:HASH` or `NAME:HASH:TOTP` a line; empty lines and those that begin with `#` are left out.
    ///
    /// # Errors
    /// Which line is none.
    pub fn add_file(&mut self, text: &str) -> Result<(), AccountError> {
        for (line, text) in (1..).zip(text.lines().map(str::trim)) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let bad = |why| AccountError::Line { line, why };
            let mut parts = text.split(':');
            let (name, hash, totp) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
            let hash = hash.filter(|hash| hash.starts_with("$argon2") && parts.next().is_none());
            let hash = hash.ok_or_else(|| bad("it has no hash"))?;
            if !is_name(name) {
                return Err(bad("its name is none"));
            }
            let totp = totp.map(|secret| SecretString::from(secret.trim_end_matches('=').to_ascii_uppercase()));
            if totp.as_ref().is_some_and(|secret| oriel_physical::check_totp(secret).is_err()) {
                return Err(bad("the secret of its second factor is not base 32"));
            }
            self.put(Account { name: name.to_owned(), hash: hash.to_owned(), totp })?;
        }
        Ok(())
    }

    fn put(&mut self, account: Account) -> Result<(), AccountError> {
        self.0.retain(|other| other.name != account.name);
        if self.0.len() >= ACCOUNTS_MAX {
            return Err(AccountError::TooMany);
        }
        self.0.push(account);
        Ok(())
    }
}

struct Session {
    user: String,
    began: Instant,
    ends: Option<Instant>,
}

/// The door: accounts, and who is in.
pub(crate) struct Door {
    accounts: Arc<Accounts>,
    /// By the SHA-256 of their tokens.
    sessions: Mutex<HashMap<String, Session>>,
    /// Passwords that were right a moment ago, as a hash with a salt of this process.
    known: Mutex<HashMap<String, Instant>>,
    salt: SecretString,
    patience: Mutex<Throttle>,
    /// Longest session.
    session_max: Option<Duration>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Door {
    pub fn new(accounts: Accounts, session_max: Option<Duration>) -> Self {
        Self {
            accounts: Arc::new(accounts),
            sessions: Mutex::default(),
            known: Mutex::default(),
            salt: random_token().0,
            patience: Mutex::default(),
            session_max,
        }
    }

    /// Whether anybody is asked who they are.
    pub fn is_kept(&self) -> bool {
        !self.accounts.is_empty()
    }

    /// A name and a password with its code behind it.
    pub async fn check(&self, name: &str, password: &str, from: IpAddr) -> Result<(), Refusal> {
        if !is_name(name) {
            return Err(Refusal::invalid(name, "username"));
        }
        if !is_password(password) {
            return Err(Refusal::bad("ValidatorError", "The argument 'passwd' is not a valid password"));
        }
        let sign = sha256_hex(format!("{}\n{name}\n{password}", self.salt.expose_secret()));
        if held(&self.known).get(&sign).is_some_and(|at| at.elapsed() < KNOWN_FOR) {
            return Ok(());
        }
        let patient = held(&self.patience).check(name, from, Instant::now());
        patient.map_err(|wait| {
            let text = format!("Too many wrong passwords, try again in {} seconds", wait.as_secs() + 1);
            Refusal::new(hyper::StatusCode::FORBIDDEN, "ForbiddenError", text)
        })?;
        let account = self.accounts.0.iter().find(|account| account.name == name).cloned();
        let (bare, code) = match account.as_ref().and_then(|account| account.totp.as_ref()) {
            None => (password, None),
            Some(secret) => {
                // kvmd wants the code behind the password.
                let at = password.len().saturating_sub(TOTP_DIGITS);
                let (bare, code) = password.split_at_checked(at).unwrap_or((password, ""));
                (bare, Some(is_code(secret, code)))
            }
        };
        let (hash, bare) = (account.map(|account| account.hash), SecretString::from(bare));
        let verified = tokio::task::spawn_blocking(move || verify_password(hash.as_deref(), &bare)).await;
        if !verified.unwrap_or(false) || code == Some(false) {
            held(&self.patience).failure(name, from, Instant::now());
            return Err(Refusal::forbidden());
        }
        held(&self.patience).success(name, from);
        let mut known = held(&self.known);
        known.retain(|_, at| at.elapsed() < KNOWN_FOR);
        if known.len() < KNOWN_MAX {
            known.insert(sign, Instant::now());
        }
        Ok(())
    }

    /// Begins a session; its token, 64 hexadecimal digits.
    pub fn begin(&self, user: &str, expire: Option<Duration>) -> SecretString {
        let token = sha256_hex(random_token().0.expose_secret());
        let now = Instant::now();
        let lasts = match (expire, self.session_max) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        };
        let mut sessions = held(&self.sessions);
        sessions.retain(|_, session| session.ends.is_none_or(|ends| ends > now));
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.began).map(|(key, _)| key.clone());
            oldest.and_then(|key| sessions.remove(&key));
        }
        let ends = lasts.and_then(|lasts| now.checked_add(lasts));
        sessions.insert(sha256_hex(&token), Session { user: user.to_owned(), began: now, ends });
        token.into()
    }

    /// Whose a token is. The error is for what is no token.
    pub fn of_token(&self, token: &str) -> Result<Option<String>, Refusal> {
        let token = token.trim();
        if token.len() != 64 || !token.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            return Err(Refusal::bad("ValidatorError", "The argument 'auth_token' is not a valid auth token"));
        }
        let sessions = held(&self.sessions);
        let session = sessions.get(&sha256_hex(token)).filter(|one| one.ends.is_none_or(|ends| ends > Instant::now()));
        Ok(session.map(|session| session.user.clone()))
    }

    /// Ends all sessions of whom this token is.
    pub fn end(&self, user: &str) {
        held(&self.sessions).retain(|_, session| session.user != user);
    }
}

fn is_code(secret: &SecretString, code: &str) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // Every request of a program bears a code, so that one is good for as long as it is shown.
    check_totp(secret, code, now, 0).is_some()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn names_and_files_are_checked() {
        for good in ["admin", "_x", "a.b@c-d", "a1", "x-"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "Admin", "1a", "a.", "a@", "a b", "ä"] {
            assert!(!is_name(bad), "{bad}");
        }
        let mut accounts = Accounts::default();
        accounts.add_file("# people\n\nada:$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaA:JBSWY3DPEHPK3PXP\n").unwrap();
        assert_eq!(accounts.0.len(), 1);
        for (text, line) in [("\nada", 2), ("ada:plain", 1), ("Ada:$argon2id$x", 1), ("ada:$argon2id$x:0", 1)] {
            let refused = Accounts::default().add_file(text).unwrap_err();
            assert!(matches!(refused, AccountError::Line { line: at, .. } if at == line), "{text}: {refused}");
        }
        assert!(accounts.add("bob", &"".into(), None).is_err() && accounts.add("Bob", &"x".into(), None).is_err());
        assert!(accounts.add("bob", &"ü".into(), None).is_err());
    }

    #[tokio::test]
    async fn the_code_stands_behind_the_password() {
        let secret = oriel_identity::new_totp_secret();
        let mut accounts = Accounts::default();
        accounts.add("ada", &"secret".into(), Some(secret.clone())).unwrap();
        let door = Door::new(accounts, None);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let code = oriel_identity::totp_code(&secret, now).unwrap();
        door.check("ada", &format!("secret{code}"), HERE).await.unwrap();
        for wrong in ["secret", "secret000", &format!("other{code}"), &code, ""] {
            assert_eq!(door.check("ada", wrong, HERE).await.unwrap_err().status.as_u16(), 403, "{wrong}");
        }
        // Enough wrong ones, and nobody is asked any more.
        let refused = door.check("ada", "more", HERE).await.unwrap_err();
        assert!(refused.text.contains("try again"), "{refused:?}");
    }

    #[test]
    fn sessions_end_all_together_and_by_their_time() {
        let door = Door::new(Accounts::default(), Some(Duration::from_mins(1)));
        let (one, two) = (door.begin("ada", None), door.begin("ada", Some(Duration::ZERO)));
        assert_eq!(door.of_token(one.expose_secret()).unwrap().as_deref(), Some("ada"));
        assert_eq!(door.of_token(two.expose_secret()).unwrap(), None);
        assert_eq!(door.of_token("00").unwrap_err().status.as_u16(), 400);
        door.end("ada");
        assert_eq!(door.of_token(one.expose_secret()).unwrap(), None);
        for _ in 0..=SESSIONS_MAX {
            door.begin("bob", None);
        }
        assert_eq!(held(&door.sessions).len(), SESSIONS_MAX);
    }
}
