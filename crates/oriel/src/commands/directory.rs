//! `oriel directory`.

use super::machine::secret;
use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, age, or_dash, say, word},
};
use clap::{Args, Subcommand, ValueEnum};
use oriel_server::api::{
    directory::{
        Directory, DirectoryAnswer, DirectoryKind, DirectoryList, DirectorySettings, GroupMapping, RoleMapping,
    },
    user::Role,
};
use serde_json::{Value, json};
use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

/// Longest file of certificates, in bytes.
const CA_BYTES_MAX: u64 = 64 << 10;

#[derive(Subcommand)]
pub enum Command {
    /// List directories, in the order in which they are asked
    List(Json),
    /// Show how a directory is asked
    Show {
        /// Id or name
        directory: String,
        #[command(flatten)]
        json: Json,
    },
    /// Let people of a directory in
    Add {
        name: String,
        #[command(flatten)]
        way: Box<Way>,
    },
    /// Change how a directory is asked; what is left out stays
    Set {
        /// Id or name
        directory: String,
        /// Another name
        #[arg(long)]
        name: Option<String>,
        /// false: nobody signs in by it any more
        #[arg(long)]
        enabled: Option<bool>,
        #[command(flatten)]
        way: Box<Way>,
    },
    /// Ask a directory about somebody, and whether that is their password; changes nothing
    Test {
        /// Id or name
        directory: String,
        /// With what they sign in
        user: String,
        /// File with their password (- for stdin); without it, only who they are is asked
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        json: Json,
    },
    /// Forget a directory that nobody here comes from
    Remove {
        /// Id or name
        directory: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Kind {
    /// OpenLDAP, 389, FreeIPA and their like
    Ldap,
    /// Active Directory, or Samba in its place
    ActiveDirectory,
}

/// How it is asked.
#[derive(Args)]
pub struct Way {
    /// ldaps://HOST[:PORT], or ldap://HOST[:PORT] with --start-tls
    #[arg(long)]
    url: Option<String>,
    /// Whose habits it has [default: ldap]
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// TLS inside a connection that begins without it
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    start_tls: Option<bool>,
    /// No TLS at all: passwords cross the network in the clear
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    plain: Option<bool>,
    /// Who signs its certificate: a file in PEM [default: whom this machine trusts]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// SHA-256 of its certificate, in place of a CA
    #[arg(long, value_name = "SHA256")]
    pin: Option<String>,
    /// The service account that looks people up
    #[arg(long, value_name = "DN")]
    bind_dn: Option<String>,
    /// File with its password (- for stdin)
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Instead of a service account: the name with which people bind, `uid={name},ou=people,dc=lab` or `{name}@corp.lab`
    #[arg(long)]
    template: Option<String>,
    /// Below which people are, such as dc=lab,dc=example
    #[arg(long, value_name = "DN")]
    base: Option<String>,
    /// Who of them is meant, such as `(uid={name})` [default: by the kind]
    #[arg(long, value_name = "FILTER")]
    user_filter: Option<String>,
    /// Below which groups are [default: as --base]
    #[arg(long, value_name = "DN")]
    group_base: Option<String>,
    /// Only who is in a group that is mapped may sign in
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    only_mapped: Option<bool>,
    /// A group here, and the directory's whose members are in it: `artists=cn=artists,ou=groups,dc=lab`; may be given several
    /// times, and replaces all that were; `none` for none
    #[arg(long = "group", value_name = "GROUP=DN")]
    groups: Vec<String>,
    /// A role, and the directory's group whose members have it: `admin=cn=admins,ou=groups,dc=lab`; as --group. The first that
    /// fits counts, and who fits none is a user
    #[arg(long = "role", value_name = "ROLE=DN")]
    roles: Vec<String>,
}

/// `none` for none; nothing said, nothing changed.
fn mapped<T>(said: Vec<String>, one: impl Fn(&str, &str) -> Result<T, Failure>) -> Result<Option<Vec<T>>, Failure> {
    match said.as_slice() {
        [] => Ok(None),
        [none] if none == "none" => Ok(Some(Vec::new())),
        some => some
            .iter()
            .map(|text| match text.split_once('=') {
                Some((ours, theirs)) if theirs.contains('=') => one(ours, theirs),
                _ => Err(Failure::usage(format!("{text:?} does not say what belongs together"))
                    .next("write NAME=DN, such as artists=cn=artists,ou=groups,dc=lab")),
            })
            .collect::<Result<_, _>>()
            .map(Some),
    }
}

pub(super) fn role(text: &str) -> Result<Role, Failure> {
    serde_json::from_value(json!(text.replace('-', "_")))
        .map_err(|_| Failure::usage(format!("there is no role {text:?}")).next("use admin, user, helpdesk or auditor"))
}

/// What was said replaces what was; an empty word takes it away.
pub(super) fn text(said: Option<String>, before: Option<String>) -> Option<String> {
    said.or(before).filter(|text| !text.is_empty())
}

/// What is in a file of certificates; an empty name takes it away.
pub(super) fn certificates(path: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(path) = path else { return Ok(None) };
    // A folder's name cannot be empty: so the CA is taken away.
    if path.as_os_str().is_empty() {
        return Ok(Some(String::new()));
    }
    let cannot = |error: &std::io::Error| Failure::because(format!("cannot read {}", path.display()), error);
    let file = std::fs::File::open(path).map_err(|error| cannot(&error))?;
    let mut pem = String::new();
    file.take(CA_BYTES_MAX).read_to_string(&mut pem).map_err(|error| cannot(&error))?;
    Ok(Some(pem))
}

impl Way {
    fn says_something(&self) -> bool {
        self.url.is_some()
            || self.kind.is_some()
            || self.start_tls.is_some()
            || self.plain.is_some()
            || self.ca.is_some()
            || self.pin.is_some()
            || self.bind_dn.is_some()
            || self.template.is_some()
            || self.base.is_some()
            || self.user_filter.is_some()
            || self.group_base.is_some()
            || self.only_mapped.is_some()
            || !self.groups.is_empty()
            || !self.roles.is_empty()
    }

    fn settings(self, before: Option<DirectorySettings>) -> Result<DirectorySettings, Failure> {
        let missing =
            |what: &str| Failure::usage(format!("{what} is missing")).next("`oriel directory add --help` says how");
        let before = match before {
            Some(before) => before,
            None => DirectorySettings {
                kind: DirectoryKind::Ldap,
                url: self.url.clone().ok_or_else(|| missing("--url"))?,
                start_tls: false,
                plain: false,
                ca: None,
                pin: None,
                bind_dn: None,
                template: None,
                base: self.base.clone().ok_or_else(|| missing("--base"))?,
                user_filter: None,
                group_base: None,
                only_mapped: false,
                groups: Vec::new(),
                roles: Vec::new(),
            },
        };
        let ca = certificates(self.ca.as_deref())?;
        Ok(DirectorySettings {
            kind: self.kind.map_or(before.kind, |kind| match kind {
                Kind::Ldap => DirectoryKind::Ldap,
                Kind::ActiveDirectory => DirectoryKind::ActiveDirectory,
            }),
            url: self.url.unwrap_or(before.url),
            start_tls: self.start_tls.unwrap_or(before.start_tls),
            plain: self.plain.unwrap_or(before.plain),
            ca: text(ca, before.ca),
            pin: text(self.pin.map(|pin| pin.replace(':', "").to_lowercase()), before.pin),
            bind_dn: text(self.bind_dn, before.bind_dn),
            template: text(self.template, before.template),
            base: self.base.unwrap_or(before.base),
            user_filter: text(self.user_filter, before.user_filter),
            group_base: text(self.group_base, before.group_base),
            only_mapped: self.only_mapped.unwrap_or(before.only_mapped),
            groups: mapped(self.groups, |group, dn| Ok(GroupMapping { dn: dn.to_owned(), group: group.to_owned() }))?
                .unwrap_or(before.groups),
            roles: mapped(self.roles, |name, dn| Ok(RoleMapping { dn: dn.to_owned(), role: role(name)? }))?
                .unwrap_or(before.roles),
        })
    }
}

/// How its people get in, in a few words.
fn way(of: &DirectorySettings) -> String {
    match (&of.bind_dn, &of.template) {
        (Some(dn), _) => format!("as {dn}"),
        (None, Some(template)) => format!("as {template}"),
        (None, None) => "-".to_owned(),
    }
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        let path = |directory: &str| format!("/directories/{}", segment(directory));
        match self {
            Self::List(Json { json: true }) => output::print_json(&client.get::<Value>("/directories").await?),
            Self::List(_) => {
                let list: DirectoryList = client.get("/directories").await?;
                let mut rows = Rows::new(
                    ["name", "kind", "address", "asked", "people", "state", "made"],
                    "people are made here only: let those of a directory in with `oriel directory add NAME`",
                );
                for one in list.directories {
                    rows.row([
                        one.name,
                        word(&one.settings.kind),
                        one.settings.url.clone(),
                        way(&one.settings),
                        one.people.to_string(),
                        if one.enabled { "asked" } else { "switched off" }.to_owned(),
                        age(&one.created_at),
                    ]);
                }
                rows.print()
            }
            Self::Show { directory, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&path(&directory)).await?)
            }
            Self::Show { directory, .. } => show(&client.get(&path(&directory)).await?),
            Self::Add { name, way } => {
                let password = secret(way.password_file.as_deref())?;
                let body = json!({"name": name, "settings": way.settings(None)?, "password": password});
                let made: Directory = client.post("/directories", &body).await?;
                say(format!(
                    "added {}; look whether it answers with `oriel directory test {} NAME`",
                    made.name, made.name
                ));
                output::print(&made.id)
            }
            Self::Set { directory, name, enabled, way } => {
                let password = secret(way.password_file.as_deref())?;
                let changes = way.says_something();
                if name.is_none() && enabled.is_none() && password.is_none() && !changes {
                    return Err(
                        Failure::usage("nothing to change").next("`oriel directory set --help` says what can be")
                    );
                }
                let settings = if changes {
                    let before: Directory = client.get(&path(&directory)).await?;
                    Some(way.settings(Some(before.settings))?)
                } else {
                    None
                };
                let body = json!({"name": name, "enabled": enabled, "settings": settings, "password": password});
                let changed: Directory = client.patch(&path(&directory), &body).await?;
                say(format!(
                    "changed {}; it holds from the next sign-in on, and for all its people within minutes",
                    changed.name
                ));
                Ok(())
            }
            Self::Test { directory, user, password_file, json } => {
                let body = json!({"name": user, "password": secret(password_file.as_deref())?});
                let at = format!("{}/test", path(&directory));
                if json.json {
                    return output::print_json(&client.post::<Value>(&at, &body).await?);
                }
                answer(&user, &client.post(&at, &body).await?)
            }
            Self::Remove { directory } => {
                client.delete(&path(&directory)).await?;
                say(format!("removed directory {directory}"));
                Ok(())
            }
        }
    }
}

fn show(of: &Directory) -> Done {
    let line = |label: &str, value: &str| output::print(&format!("{label:<15} {value}"));
    let s = &of.settings;
    line("name", &of.name)?;
    line("id", &of.id)?;
    line("state", if of.enabled { "asked" } else { "switched off" })?;
    line("kind", &word(&s.kind))?;
    line("address", &s.url)?;
    line(
        "TLS",
        match (s.url.starts_with("ldaps"), s.start_tls) {
            (true, _) => "from the beginning",
            (false, true) => "by StartTLS",
            (false, false) => "none: passwords cross the network in the clear",
        },
    )?;
    line(
        "trusts",
        &match (&s.pin, &s.ca, s.plain) {
            (_, _, true) => "anybody".to_owned(),
            (Some(pin), ..) => format!("the certificate {pin}"),
            (None, Some(_), _) => "a CA of its own".to_owned(),
            (None, None, _) => "whom the server trusts".to_owned(),
        },
    )?;
    line("asked", &way(s))?;
    line("password", if of.has_password { "kept" } else { "none" })?;
    line("people below", &s.base)?;
    line("found by", s.user_filter.as_deref().unwrap_or("what its kind does"))?;
    line("groups below", s.group_base.as_deref().unwrap_or(&s.base))?;
    line("lets in", if s.only_mapped { "who is in a mapped group" } else { "everybody of it" })?;
    for one in &s.groups {
        line("group", &format!("{} is {}", one.dn, one.group))?;
    }
    for one in &s.roles {
        line("role", &format!("{} is {}", one.dn, word(&one.role)))?;
    }
    line("people here", &of.people.to_string())
}

fn answer(user: &str, said: &DirectoryAnswer) -> Done {
    let line = |label: &str, value: &str| output::print(&format!("{label:<15} {value}"));
    let password = match said.password_right {
        Some(true) => "right",
        Some(false) => "wrong",
        None => "not asked",
    };
    let Some(person) = &said.person else {
        if said.password_right == Some(false) {
            return Err(
                Failure::new(format!("the directory does not take {user:?} with that password")).next("type it again")
            );
        }
        return Err(Failure::new(format!("the directory knows nobody as {user:?}"))
            .next("check the name, the base and the filter; `oriel directory show` prints them"));
    };
    line("name", &person.name)?;
    line("DN", &person.dn)?;
    line("id there", &person.external_id)?;
    line("password", password)?;
    line("disabled there", if person.disabled { "yes" } else { "no" })?;
    for dn in &person.groups {
        line("group there", dn)?;
    }
    let groups = said.groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>().join(", ");
    line("groups here", &or_dash(Some(&groups)))?;
    line("role here", &said.role.as_ref().map_or_else(|| "given here".to_owned(), word))?;
    line("lets in", said.refused.as_deref().unwrap_or("yes"))
}
