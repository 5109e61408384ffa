//! TLS for addresses that others can reach: a configured certificate, or one of our own that is made once.

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use std::{
    fs, io,
    io::Write as _,
    net::IpAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// How long a certificate of our own is good for; a new one is made a month before. (Some browsers refuse longer ones.)
const CERTIFICATE_DAYS: i64 = 820;
const REMAKE_AFTER: Duration = Duration::from_hours(24 * (CERTIFICATE_DAYS as u64 - 30));

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot use {path:?} for TLS: check that it exists, is readable and holds PEM")]
    File { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error(
        "the certificate {certificate:?} and the key {key:?} do not work together: give the pair that belongs together"
    )]
    Pair { certificate: PathBuf, key: PathBuf, source: rustls::Error },
    #[error("cannot keep the server's own certificate in {path:?}: check that the data folder may be written")]
    Keep { path: PathBuf, source: io::Error },
    #[error("cannot make a certificate for {name:?}: set tls_certificate and tls_key in the configuration")]
    Make { name: String, source: rcgen::Error },
}

/// A certificate and key, ready to serve, with what people compare.
pub struct Tls {
    pub config: Arc<ServerConfig>,
    /// SHA-256 of the certificate (DER), as browsers show it: uppercase pairs with colons.
    pub fingerprint: String,
    /// Made by us: browsers will warn once.
    pub own: bool,
}

impl Tls {
    /// The pair that an administrator configured.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        Self::load(certificate, key, false)
    }

    /// Our own pair below `folder`, made for `names` when there is none or it grows old.
    pub fn own(folder: &Path, names: &[String]) -> Result<Self, TlsError> {
        let certificate = folder.join("certificate.pem");
        let key = folder.join("key.pem");
        let age = fs::metadata(&certificate)
            .and_then(|meta| meta.modified())
            .ok()
            .and_then(|at| SystemTime::now().duration_since(at).ok());
        let fresh = key.exists() && age.is_some_and(|age| age < REMAKE_AFTER);
        if !fresh {
            make(&certificate, &key, folder, names)?;
        }
        Self::load(&certificate, &key, true)
    }

    fn load(certificate: &Path, key: &Path, own: bool) -> Result<Self, TlsError> {
        let file = |path: &Path| {
            let path = path.to_owned();
            move |source| TlsError::File { path, source }
        };
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect).map_err(file(certificate))?;
        let private = PrivateKeyDer::from_pem_file(key).map_err(file(key))?;
        let fingerprint = chain.first().map(|leaf| fingerprint(leaf)).unwrap_or_default();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let pair = |source| TlsError::Pair { certificate: certificate.to_owned(), key: key.to_owned(), source };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(pair)?
            .with_no_client_auth()
            .with_single_cert(chain, private)
            .map_err(pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), fingerprint, own })
    }
}

fn make(certificate: &Path, key: &Path, folder: &Path, names: &[String]) -> Result<(), TlsError> {
    let name = names.first().cloned().unwrap_or_default();
    let failed = |source| TlsError::Make { name: name.clone(), source };
    let mut params = CertificateParams::new(names.to_vec()).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, "Oriel");
    let now = jiff::Timestamp::now();
    let at = |days: i64| {
        let second = now.as_second().saturating_add(days.saturating_mul(86_400));
        let date = jiff::Timestamp::from_second(second).unwrap_or(now).to_zoned(jiff::tz::TimeZone::UTC).date();
        rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = at(-1);
    params.not_after = at(CERTIFICATE_DAYS);
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let made = params.self_signed(&pair).map_err(failed)?;
    let keep = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Keep { path, source }
    };
    fs::create_dir_all(folder).map_err(keep(folder))?;
    // The key first: a certificate without its key would be believed to be there.
    write_private(key, pair.serialize_pem().as_bytes()).map_err(keep(key))?;
    write_private(certificate, made.pem().as_bytes()).map_err(keep(certificate))
}

/// Replaces a file at once, readable by its owner only.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::remove_file(&new).or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

fn fingerprint(der: &[u8]) -> String {
    oriel_identity::sha256_hex(der)
        .to_uppercase()
        .as_bytes()
        .chunks(2)
        .filter_map(|pair| std::str::from_utf8(pair).ok())
        .collect::<Vec<_>>()
        .join(":")
}

/// The names a certificate of our own should carry for this listening address.
pub fn names(host: &str, addresses: &[IpAddr]) -> Vec<String> {
    let mut names = vec![host.to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    names.extend(addresses.iter().filter(|address| !address.is_unspecified()).map(ToString::to_string));
    names.retain(|name| !name.is_empty());
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_certificate_is_made_once_and_kept_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let names = names("studio", &["10.0.0.7".parse().unwrap(), "0.0.0.0".parse().unwrap()]);
        assert_eq!(names, ["studio", "localhost", "127.0.0.1", "::1", "10.0.0.7"]);
        let first = Tls::own(folder.path(), &names).unwrap();
        let again = Tls::own(folder.path(), &names).unwrap();
        assert_eq!(first.fingerprint, again.fingerprint);
        assert_eq!(first.fingerprint.len(), 95);
        let mode = fs::metadata(folder.path().join("key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
