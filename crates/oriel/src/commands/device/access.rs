//! Who may use what is shown as a PiKVM device, where it listens, and what it shows of TLS.

use crate::failure::Failure;
use clap::Args;
use oriel_device::Accounts;
use oriel_server::tls::Tls;
use secrecy::{ExposeSecret as _, SecretString};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The password, where no file has it.
pub const PASSWORD: &str = "ORIEL_DEVICE_PASSWORD";
/// Largest file with a secret, in bytes.
const SECRET_BYTES_MAX: u64 = 4 << 10;

#[derive(Args)]
pub struct Access {
    /// Address and port; 0 is a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Account of whoever uses the device
    #[arg(long, value_name = "NAME", default_value = "admin")]
    pub user: String,
    /// File with its password; ORIEL_DEVICE_PASSWORD when left out, and one that is made up on a loopback address
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// File with the secret of a second factor, in base 32
    #[arg(long, value_name = "FILE")]
    pub totp_file: Option<PathBuf>,
    /// File with more accounts: lines NAME:HASH or NAME:HASH:TOTP, hashes as argon2 prints them
    #[arg(long, value_name = "FILE")]
    pub users_file: Option<PathBuf>,
    /// Certificate to show, as PEM; one of its own when left out
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
    /// Folder in which its own certificate is kept; a new one each time when left out
    #[arg(long, value_name = "DIR", conflicts_with = "tls_certificate")]
    pub certificate_folder: Option<PathBuf>,
}

/// The first line of a file.
fn line(path: &Path) -> Result<SecretString, Failure> {
    let what = format!("cannot read {}", path.display());
    let meta = std::fs::metadata(path).map_err(|error| Failure::because(&what, &error))?;
    if meta.len() > SECRET_BYTES_MAX {
        return Err(Failure::usage(format!("{} is longer than a secret", path.display())).next("name another file"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| Failure::because(&what, &error))?;
    Ok(text.lines().next().unwrap_or_default().to_owned().into())
}

fn wrong(error: &oriel_device::AccountError) -> Failure {
    Failure::usage(error.to_string()).next("`oriel device serve --help` says what accounts are")
}

impl Access {
    fn password(&self) -> Result<Option<SecretString>, Failure> {
        match &self.password_file {
            Some(path) => line(path).map(Some),
            None => Ok(std::env::var(PASSWORD).ok().filter(|password| !password.is_empty()).map(SecretString::from)),
        }
    }

    /// Who may; and the password that was made up, where nobody gave one.
    pub fn accounts(&self) -> Result<(Accounts, Option<SecretString>), Failure> {
        let mut accounts = Accounts::default();
        if let Some(path) = &self.users_file {
            let what = format!("cannot read {}", path.display());
            let meta = std::fs::metadata(path).map_err(|error| Failure::because(&what, &error))?;
            if meta.len() > oriel_device::ACCOUNTS_BYTES_MAX as u64 {
                return Err(Failure::usage(format!("{} is too long for a file of accounts", path.display())));
            }
            let text = std::fs::read_to_string(path).map_err(|error| Failure::because(&what, &error))?;
            accounts.add_file(&text).map_err(|error| wrong(&error))?;
        }
        let totp = self.totp_file.as_deref().map(line).transpose()?;
        let totp = totp.map(|secret| {
            let bare: String = secret.expose_secret().chars().filter(|one| !matches!(one, ' ' | '-' | '=')).collect();
            SecretString::from(bare.to_ascii_uppercase())
        });
        if let Some(secret) = &totp {
            oriel_physical::check_totp(secret).map_err(|error| Failure::usage(error.to_string()))?;
        }
        let given = self.password()?;
        let made_up = (given.is_none() && accounts.is_empty()).then(oriel_identity::one_time_password);
        if made_up.is_some() && !self.listen.ip().is_loopback() {
            return Err(Failure::usage(format!(
                "{} can be reached by others, and nobody would be asked who they are",
                self.listen
            ))
            .next(format!("give a password by --password-file or {PASSWORD}, or accounts by --users-file")));
        }
        if let Some(password) = given.as_ref().or(made_up.as_ref()) {
            accounts.add(&self.user, password, totp).map_err(|error| wrong(&error))?;
        } else if totp.is_some() {
            return Err(Failure::usage("a second factor without a password").next("give one by --password-file"));
        }
        Ok((accounts, made_up))
    }

    /// A certificate of its own is made for the address and for the names in `also`. A folder that was made for this run is removed with what is returned.
    pub fn tls(&self, also: &[String]) -> Result<(Tls, Option<tempfile::TempDir>), Failure> {
        let failed = |error: oriel_server::tls::TlsError| Failure::because("cannot prepare TLS", &error);
        if let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) {
            return Ok((Tls::from_files(certificate, key).map_err(failed)?, None));
        }
        let names = [&[self.listen.ip().to_string(), "localhost".to_owned()][..], also].concat();
        if let Some(folder) = &self.certificate_folder {
            return Ok((Tls::own(folder, &names).map_err(failed)?, None));
        }
        let folder = tempfile::tempdir().map_err(|error| Failure::because("cannot make a folder", &error))?;
        Ok((Tls::own(folder.path(), &names).map_err(failed)?, Some(folder)))
    }
}
