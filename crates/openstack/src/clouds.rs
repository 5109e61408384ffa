//! `clouds.yaml`: which clouds there are, and how to sign in to each.
//! <https://docs.openstack.org/openstacksdk/latest/user/config/configuration.html>

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use url::Url;

/// Longest file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 256 << 10;
/// Most regions of a cloud.
pub const REGIONS_MAX: usize = 32;

#[derive(Debug, thiserror::Error)]
pub enum CloudsError {
    #[error("cannot read {path}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path} is longer than {FILE_BYTES_MAX} bytes, which is no clouds.yaml")]
    TooLong { path: PathBuf },
    /// What stands there is not repeated: it may be a secret.
    #[error("the file is not what clouds.yaml looks like ({at}); compare it with what `openstack` reads")]
    NotClouds { at: String },
    #[error("there is no cloud {name} in the file; it has {there}")]
    NoCloud { name: String, there: String },
    #[error("the file has several clouds; say which: {there}")]
    Which { there: String },
    #[error("the file names no cloud; it needs `clouds:` with a name below it")]
    Empty,
    #[error(
        "cloud {cloud} has no {what}; write it below `clouds: {cloud}:` (secure.yaml, profiles and OS_* variables are not read)"
    )]
    Lacks { cloud: String, what: &'static str },
    #[error(
        "cloud {cloud} signs in by {auth_type}, which Oriel does not speak; make an application credential (`openstack application credential create`), or use a password"
    )]
    AuthType { cloud: String, auth_type: String },
    #[error("cloud {cloud}: {value:?} is no address of a web service; write it like https://cloud.example:5000/v3")]
    Address { cloud: String, value: String },
    #[error(
        "cloud {cloud} says `verify: false`, which would hand its credentials to anybody in between; name the certificate to trust with `cacert:` instead"
    )]
    Unverified { cloud: String },
    #[error("cloud {cloud}: {value:?} is no interface; there are public, internal and admin")]
    Interface { cloud: String, value: String },
    #[error("cloud {cloud} lists more than {REGIONS_MAX} regions")]
    Regions { cloud: String },
}

/// All clouds of a file; each is looked at when it is asked for, so that one that Oriel cannot use is in nobody's way.
pub struct Clouds {
    all: BTreeMap<String, RawCloud>,
}

/// One cloud, and how to sign in to it.
#[derive(Clone, Debug)]
pub struct Cloud {
    pub name: String,
    /// Keystone, with its version: `https://cloud.example:5000/v3`.
    pub auth_url: Url,
    pub sign_in: SignIn,
    /// None: whichever the cloud has, as long as it has one.
    pub regions: Vec<String>,
    pub interface: Interface,
    /// Certificates (PEM) to trust beside the system's: a file.
    pub cacert: Option<PathBuf>,
    /// The same as text; in place of the file.
    pub ca: Option<String>,
}

#[derive(Clone, Debug)]
pub enum SignIn {
    /// Bound to a project, with rights of its own, and withdrawn alone: what Oriel asks for.
    ApplicationCredential {
        which: CredentialName,
        secret: SecretString,
    },
    Password {
        user: UserName,
        password: SecretString,
        project: Option<Project>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialName {
    Id(String),
    Name { name: String, user: UserName },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserName {
    Id(String),
    Name { name: String, domain: Domain },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Domain {
    Id(String),
    Name(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Project {
    Id(String),
    Name { name: String, domain: Domain },
}

/// Which of a service's doors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interface {
    #[default]
    Public,
    Internal,
    Admin,
}

impl Interface {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Admin => "admin",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct RawFile {
    #[serde(default)]
    clouds: BTreeMap<String, RawCloud>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct RawCloud {
    auth_type: Option<String>,
    #[serde(default)]
    auth: RawAuth,
    region_name: Option<String>,
    #[serde(default)]
    regions: Vec<RawRegion>,
    interface: Option<String>,
    endpoint_type: Option<String>,
    verify: Option<bool>,
    // A path of whoever wrote the file.
    #[serde(skip_serializing)]
    cacert: Option<PathBuf>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum RawRegion {
    Name(String),
    More { name: String },
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct RawAuth {
    auth_url: Option<String>,
    username: Option<String>,
    user_id: Option<String>,
    password: Option<String>,
    user_domain_id: Option<String>,
    user_domain_name: Option<String>,
    project_id: Option<String>,
    project_name: Option<String>,
    project_domain_id: Option<String>,
    project_domain_name: Option<String>,
    domain_id: Option<String>,
    domain_name: Option<String>,
    application_credential_id: Option<String>,
    application_credential_name: Option<String>,
    application_credential_secret: Option<String>,
}

impl Clouds {
    /// # Errors
    /// The file cannot be read, or is no clouds.yaml.
    pub fn file(path: &Path) -> Result<Self, CloudsError> {
        let failed = |source| CloudsError::File { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(failed)?;
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::io::Read::take(file, FILE_BYTES_MAX + 1), &mut text).map_err(failed)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(CloudsError::TooLong { path: path.to_owned() });
        }
        let mut clouds = Self::read(&text)?;
        // Beside the file is where a relative path was meant.
        for cloud in clouds.all.values_mut() {
            if let (Some(cacert), Some(folder)) = (&mut cloud.cacert, path.parent()) {
                *cacert = folder.join(&cacert);
            }
        }
        Ok(clouds)
    }

    /// # Errors
    /// The text is no clouds.yaml.
    pub fn read(text: &str) -> Result<Self, CloudsError> {
        // The library's own words quote the line.
        let file: RawFile = serde_saphyr::from_str(text).map_err(|error| CloudsError::NotClouds {
            at: error
                .location()
                .map_or_else(|| "somewhere".to_owned(), |at| format!("line {}, column {}", at.line(), at.column())),
        })?;
        if file.clouds.is_empty() {
            return Err(CloudsError::Empty);
        }
        Ok(Self { all: file.clouds })
    }

    /// The part of the file that is about one cloud, to be kept and read again. Certificates that it names are not in it.
    ///
    /// # Errors
    /// As [`Self::pick`].
    pub fn part(&self, name: &str) -> Result<SecretString, CloudsError> {
        self.pick(Some(name))?;
        let all =
            self.all.iter().filter(|(its, _)| *its == name).map(|(its, raw)| (its.clone(), raw.clone())).collect();
        // JSON is YAML.
        serde_json::to_string(&RawFile { clouds: all }).map(SecretString::from).map_err(|_| CloudsError::Empty)
    }

    pub fn names(&self) -> Vec<&str> {
        self.all.keys().map(String::as_str).collect()
    }

    /// The cloud of this name; without one, the only one.
    ///
    /// # Errors
    /// There is no such cloud, or Oriel cannot sign in to it.
    pub fn pick(&self, name: Option<&str>) -> Result<Cloud, CloudsError> {
        let there = || self.names().join(", ");
        let (name, raw) = match name {
            Some(name) => self
                .all
                .get_key_value(name)
                .ok_or_else(|| CloudsError::NoCloud { name: name.to_owned(), there: there() })?,
            None if self.all.len() > 1 => return Err(CloudsError::Which { there: there() }),
            None => self.all.first_key_value().ok_or(CloudsError::Empty)?,
        };
        raw.clone().cloud(name)
    }
}

impl RawCloud {
    fn cloud(self, name: &str) -> Result<Cloud, CloudsError> {
        let cloud = name.to_owned();
        let lacks = |what| CloudsError::Lacks { cloud: cloud.clone(), what };
        if self.verify == Some(false) {
            return Err(CloudsError::Unverified { cloud });
        }
        let auth_url =
            identity_url(self.auth.auth_url.as_deref().ok_or_else(|| lacks("auth.auth_url"))?).ok_or_else(|| {
                CloudsError::Address {
                    cloud: cloud.clone(),
                    value: without_secrets(self.auth.auth_url.as_deref().unwrap_or_default()),
                }
            })?;
        let interface = match self.interface.as_deref().or(self.endpoint_type.as_deref()) {
            None | Some("public" | "publicURL") => Interface::Public,
            Some("internal" | "internalURL") => Interface::Internal,
            Some("admin" | "adminURL") => Interface::Admin,
            Some(value) => return Err(CloudsError::Interface { cloud, value: value.to_owned() }),
        };
        // Of several, `region_name` is the one that is meant.
        let regions: Vec<String> = match self.region_name {
            Some(region) => vec![region],
            None => self
                .regions
                .into_iter()
                .map(|region| match region {
                    RawRegion::Name(name) | RawRegion::More { name } => name,
                })
                .collect(),
        };
        if regions.len() > REGIONS_MAX {
            return Err(CloudsError::Regions { cloud });
        }
        let sign_in = match self.auth_type.as_deref() {
            Some("v3applicationcredential") => self.auth.application_credential(),
            None if self.auth.application_credential_secret.is_some() => self.auth.application_credential(),
            None | Some("password" | "v3password") => self.auth.password(),
            Some(other) => return Err(CloudsError::AuthType { cloud, auth_type: other.chars().take(64).collect() }),
        }
        .map_err(lacks)?;
        Ok(Cloud { name: cloud, auth_url, sign_in, regions, interface, cacert: self.cacert, ca: None })
    }
}

impl RawAuth {
    fn application_credential(self) -> Result<SignIn, &'static str> {
        let which = match (self.application_credential_id.clone(), self.application_credential_name.clone()) {
            (Some(id), _) => CredentialName::Id(id),
            (None, Some(name)) => CredentialName::Name { name, user: self.user()? },
            (None, None) => return Err("auth.application_credential_id"),
        };
        let secret = self.application_credential_secret.ok_or("auth.application_credential_secret")?;
        Ok(SignIn::ApplicationCredential { which, secret: secret.into() })
    }

    fn password(self) -> Result<SignIn, &'static str> {
        let user = self.user()?;
        let domain = || {
            let (id, name) = (self.project_domain_id.clone(), self.project_domain_name.clone());
            domain(id.or_else(|| self.domain_id.clone()), name.or_else(|| self.domain_name.clone()))
        };
        let project = match (self.project_id.clone(), self.project_name.clone()) {
            (Some(id), _) => Some(Project::Id(id)),
            (None, Some(name)) => Some(Project::Name { name, domain: domain() }),
            (None, None) => None,
        };
        Ok(SignIn::Password { user, password: self.password.ok_or("auth.password")?.into(), project })
    }

    fn user(&self) -> Result<UserName, &'static str> {
        if let Some(id) = &self.user_id {
            return Ok(UserName::Id(id.clone()));
        }
        let name = self.username.clone().ok_or("auth.username")?;
        let (id, domain_name) = (self.user_domain_id.clone(), self.user_domain_name.clone());
        let domain = domain(id.or_else(|| self.domain_id.clone()), domain_name.or_else(|| self.domain_name.clone()));
        Ok(UserName::Name { name, domain })
    }
}

/// Where none is named, Keystone's own first one is meant, whose id is `default`.
fn domain(id: Option<String>, name: Option<String>) -> Domain {
    match (id, name) {
        (Some(id), _) => Domain::Id(id),
        (None, Some(name)) => Domain::Name(name),
        (None, None) => Domain::Id("default".to_owned()),
    }
}

/// Keystone's address with its version, however it was written.
fn identity_url(text: &str) -> Option<Url> {
    let mut url = Url::parse(text).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    })?;
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    let path = path.strip_suffix("/v2.0").unwrap_or(&path);
    let path = if path.ends_with("/v3") { path.to_owned() } else { format!("{path}/v3") };
    url.set_path(&path);
    Some(url)
}

/// What may stand before an `@` is nobody's to see.
fn without_secrets(text: &str) -> String {
    text.rsplit('@').next().unwrap_or_default().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn pick(text: &str, name: Option<&str>) -> Result<Cloud, CloudsError> {
        Clouds::read(text)?.pick(name)
    }

    const TWO: &str = r"
clouds:
  oak:
    auth_type: v3applicationcredential
    auth:
      auth_url: https://oak.example:5000
      application_credential_id: 21dced0fd20347869b93710d2b98aae0
      application_credential_secret: 0123
    regions:
      - north
      - name: south
        values: {networks: []}
    interface: internal
    cacert: /etc/ssl/oak.pem
  elm:
    auth:
      auth_url: http://elm.example/identity/v3/
      username: ada
      password: 's3cret: # not a comment'
      project_name: desktops
      user_domain_name: Staff
      project_domain_id: default
    region_name: RegionOne
    identity_api_version: 3
    some_day: {what: [nobody, knows]}
  web:
    auth_type: v3websso
    auth: {auth_url: https://web.example/v3}
";

    #[test]
    fn application_credentials_regions_and_certificates_are_read() {
        let oak = pick(TWO, Some("oak")).unwrap();
        assert_eq!(oak.auth_url.as_str(), "https://oak.example:5000/v3");
        assert_eq!(oak.regions, ["north", "south"]);
        assert_eq!(oak.interface, Interface::Internal);
        assert_eq!(oak.cacert, Some("/etc/ssl/oak.pem".into()));
        let SignIn::ApplicationCredential { which, secret } = &oak.sign_in else { panic!("{oak:?}") };
        assert_eq!(*which, CredentialName::Id("21dced0fd20347869b93710d2b98aae0".into()));
        // Written as a number, meant as text.
        assert_eq!(secret.expose_secret(), "0123");
        assert!(!format!("{oak:?}").contains("0123\""), "{oak:?}");
    }

    #[test]
    fn one_cloud_is_kept_without_the_others() {
        let all = Clouds::read(TWO).unwrap();
        for name in ["oak", "elm"] {
            let part = all.part(name).unwrap();
            let again = Clouds::read(part.expose_secret()).unwrap();
            assert_eq!(again.names(), [name]);
            let (kept, was) = (again.pick(None).unwrap(), all.pick(Some(name)).unwrap());
            assert_eq!((kept.auth_url, kept.regions, kept.interface), (was.auth_url, was.regions, was.interface));
            assert_eq!(kept.cacert, None);
            let secret = |cloud: &SignIn| match cloud {
                SignIn::ApplicationCredential { secret, .. } => secret.expose_secret().to_owned(),
                SignIn::Password { password, .. } => password.expose_secret().to_owned(),
            };
            assert_eq!(secret(&kept.sign_in), secret(&was.sign_in));
        }
        assert!(all.part("web").is_err(), "Oriel cannot sign in there");
    }

    #[test]
    fn passwords_and_domains_are_read() {
        let elm = pick(TWO, Some("elm")).unwrap();
        assert_eq!(elm.auth_url.as_str(), "http://elm.example/identity/v3");
        assert_eq!(elm.regions, ["RegionOne"]);
        let SignIn::Password { user, password, project } = &elm.sign_in else { panic!("{elm:?}") };
        assert_eq!(*user, UserName::Name { name: "ada".into(), domain: Domain::Name("Staff".into()) });
        assert_eq!(password.expose_secret(), "s3cret: # not a comment");
        assert_eq!(*project, Some(Project::Name { name: "desktops".into(), domain: Domain::Id("default".into()) }));
    }

    #[test]
    fn what_is_missing_or_not_spoken_is_said() {
        let said = |text: &str, name| pick(text, name).unwrap_err().to_string();
        assert_eq!(said(TWO, None), "the file has several clouds; say which: elm, oak, web");
        assert_eq!(said(TWO, Some("ash")), "there is no cloud ash in the file; it has elm, oak, web");
        assert!(
            said(TWO, Some("web"))
                .starts_with("cloud web signs in by v3websso, which Oriel does not speak; make an application")
        );
        assert!(said("clouds: {}", None).starts_with("the file names no cloud"));
        assert!(said("clouds: {a: {auth: {auth_url: 'http://x'}}}", None).starts_with("cloud a has no auth.username"));
        assert!(said("clouds: {a: {auth: {username: u}}}", None).starts_with("cloud a has no auth.auth_url"));
        let unverified = "clouds: {a: {verify: false, auth: {auth_url: 'http://x'}}}";
        assert!(said(unverified, None).contains("`cacert:` instead"));
        let with_password = "clouds: {a: {auth: {auth_url: 'https://u:hunter2@x/'}}}";
        assert!(!said(with_password, None).contains("hunter2"));
    }

    #[test]
    fn a_file_that_is_none_is_refused_without_quoting_it() {
        for text in [
            "clouds:\n  a:\n    auth:\n      password: [hunter2\n",
            "clouds: hunter2",
            "clouds:\n  a:\n    auth: hunter2\n",
            "\u{0}hunter2",
            "- hunter2",
        ] {
            let said = pick(text, None).unwrap_err().to_string();
            assert!(said.contains("not what clouds.yaml looks like") && !said.contains("hunter2"), "{said}");
        }
    }

    /// Nine levels of nine names for the level below.
    #[test]
    fn a_bomb_does_not_go_off() {
        let mut text = String::from("a: &a [x, x, x, x, x, x, x, x, x]\n");
        for (below, level) in ('a'..='h').zip('b'..='i') {
            let names = vec![format!("*{below}"); 9].join(", ");
            text = format!("{text}{level}: &{level} [{names}]\n");
        }
        text.push_str("clouds: *i\n");
        let began = std::time::Instant::now();
        pick(&text, None).unwrap_err();
        assert!(began.elapsed().as_secs() < 5);
        let deep = format!("clouds: {}", "[".repeat(200_000));
        pick(&deep, None).unwrap_err();
    }
}
