//! `oriel provider`.

use super::{
    directory::{certificates, role, text},
    machine::secret,
};
use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, age, or_dash, say, word},
};
use clap::{Args, Subcommand};
use oriel_server::api::provider::{
    ClaimedGroup, ClaimedRole, Provider, ProviderAnswer, ProviderList, ProviderSettings,
};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Command {
    /// List providers, in the order of their buttons
    List(Json),
    /// Show how a provider is asked, and what to enter there
    Show {
        /// Id or name
        provider: String,
        #[command(flatten)]
        json: Json,
    },
    /// Let people of a provider in
    Add {
        /// What the button at the door says
        name: String,
        #[command(flatten)]
        way: Box<Way>,
    },
    /// Change how a provider is asked; what is left out stays
    Set {
        /// Id or name
        provider: String,
        /// Another name
        #[arg(long)]
        name: Option<String>,
        /// false: nobody signs in by it any more
        #[arg(long)]
        enabled: Option<bool>,
        #[command(flatten)]
        way: Box<Way>,
    },
    /// Ask a provider what it is, and whether it knows Oriel; changes nothing
    Test {
        /// Id or name
        provider: String,
        #[command(flatten)]
        json: Json,
    },
    /// Forget a provider that nobody here comes from
    Remove {
        /// Id or name
        provider: String,
    },
}

/// How it is asked.
#[derive(Args)]
pub struct Way {
    /// As the provider calls itself, to the last sign: https://HOST[:PORT][/PATH]
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// Who Oriel is there
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// File with the client's secret (- for stdin); none for a client without one
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Who signs its certificate: a file in PEM [default: whom this machine trusts]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// SHA-256 of its certificate, in place of a CA
    #[arg(long, value_name = "SHA256")]
    pin: Option<String>,
    /// What is asked for beside `openid`; may be given several times, and replaces all that were; `none` for none [default: profile]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// The claim with people's names here [default: preferred_username]
    #[arg(long, value_name = "CLAIM")]
    name_claim: Option<String>,
    /// The claim with their groups; dots go into objects: realm_access.roles [default: groups]
    #[arg(long, value_name = "CLAIM")]
    groups_claim: Option<String>,
    /// Only who is in a group that is mapped may sign in
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    only_mapped: Option<bool>,
    /// A group here, and the value whose bearers are in it: `artists=studio-artists`; may be given several times, and replaces all
    /// that were; `none` for none
    #[arg(long = "group", value_name = "GROUP=VALUE")]
    groups: Vec<String>,
    /// A role, and the value whose bearers have it: `admin=it-admins`; as --group. The first that fits counts, and who fits none is
    /// a user
    #[arg(long = "role", value_name = "ROLE=VALUE")]
    roles: Vec<String>,
    /// The provider asks people who they are at each sign-in, also those whom it knows still
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    ask_again: Option<bool>,
    /// An `acr` that shows a second factor given there; as --scope
    #[arg(long = "factor-acr", value_name = "ACR")]
    factor_acr: Vec<String>,
    /// An `amr` that shows a second factor given there, such as `otp` or `mfa`; as --scope
    #[arg(long = "factor-amr", value_name = "AMR")]
    factor_amr: Vec<String>,
}

/// `none` for none; nothing said, nothing changed.
fn words(said: Vec<String>, before: Vec<String>) -> Vec<String> {
    match said.as_slice() {
        [] => before,
        [none] if none == "none" => Vec::new(),
        _ => said,
    }
}

/// `none` for none; nothing said, nothing changed.
fn mapped<T>(
    said: Vec<String>,
    before: Vec<T>,
    one: impl Fn(&str, &str) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    match said.as_slice() {
        [] => Ok(before),
        [none] if none == "none" => Ok(Vec::new()),
        some => some
            .iter()
            .map(|text| match text.split_once('=') {
                Some((ours, theirs)) if !theirs.is_empty() => one(ours, theirs),
                _ => Err(Failure::usage(format!("{text:?} does not say what belongs together"))
                    .next("write NAME=VALUE, such as artists=studio-artists")),
            })
            .collect(),
    }
}

impl Way {
    fn says_something(&self) -> bool {
        self.issuer.is_some()
            || self.client_id.is_some()
            || self.ca.is_some()
            || self.pin.is_some()
            || self.name_claim.is_some()
            || self.groups_claim.is_some()
            || self.only_mapped.is_some()
            || self.ask_again.is_some()
            || [&self.scopes, &self.groups, &self.roles, &self.factor_acr, &self.factor_amr]
                .into_iter()
                .any(|some| !some.is_empty())
    }

    fn settings(self, before: Option<ProviderSettings>) -> Result<ProviderSettings, Failure> {
        let missing =
            |what: &str| Failure::usage(format!("{what} is missing")).next("`oriel provider add --help` says how");
        let before = match before {
            Some(before) => before,
            None => ProviderSettings {
                issuer: self.issuer.clone().ok_or_else(|| missing("--issuer"))?,
                client_id: self.client_id.clone().ok_or_else(|| missing("--client-id"))?,
                ca: None,
                pin: None,
                scopes: vec!["profile".to_owned()],
                name_claim: None,
                groups_claim: None,
                only_mapped: false,
                groups: Vec::new(),
                roles: Vec::new(),
                ask_again: false,
                factor_acr: Vec::new(),
                factor_amr: Vec::new(),
            },
        };
        Ok(ProviderSettings {
            issuer: self.issuer.unwrap_or(before.issuer),
            client_id: self.client_id.unwrap_or(before.client_id),
            ca: text(certificates(self.ca.as_deref())?, before.ca),
            pin: text(self.pin.map(|pin| pin.replace(':', "").to_lowercase()), before.pin),
            scopes: words(self.scopes, before.scopes),
            name_claim: text(self.name_claim, before.name_claim),
            groups_claim: text(self.groups_claim, before.groups_claim),
            only_mapped: self.only_mapped.unwrap_or(before.only_mapped),
            groups: mapped(self.groups, before.groups, |group, value| {
                Ok(ClaimedGroup { value: value.to_owned(), group: group.to_owned() })
            })?,
            roles: mapped(self.roles, before.roles, |name, value| {
                Ok(ClaimedRole { value: value.to_owned(), role: role(name)? })
            })?,
            ask_again: self.ask_again.unwrap_or(before.ask_again),
            factor_acr: words(self.factor_acr, before.factor_acr),
            factor_amr: words(self.factor_amr, before.factor_amr),
        })
    }
}

/// What is entered at the provider.
fn callback(client: &Client, of: &Provider) -> String {
    let base = client.browser_url().unwrap_or_else(|| "https://ORIEL".to_owned());
    format!("{}{}", base.trim_end_matches('/'), of.callback_path)
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        let path = |provider: &str| format!("/providers/{}", segment(provider));
        match self {
            Self::List(Json { json: true }) => output::print_json(&client.get::<Value>("/providers").await?),
            Self::List(_) => {
                let list: ProviderList = client.get("/providers").await?;
                let mut rows = Rows::new(
                    ["name", "issuer", "client", "people", "state", "made"],
                    "nobody signs in by a provider: let people of one in with `oriel provider add NAME`",
                );
                for one in list.providers {
                    rows.row([
                        one.name,
                        one.settings.issuer,
                        one.settings.client_id,
                        one.people.to_string(),
                        if one.enabled { "asked" } else { "switched off" }.to_owned(),
                        age(&one.created_at),
                    ]);
                }
                rows.print()
            }
            Self::Show { provider, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&path(&provider)).await?)
            }
            Self::Show { provider, .. } => {
                let of: Provider = client.get(&path(&provider)).await?;
                show(&of, &callback(client, &of))
            }
            Self::Add { name, way } => {
                let secret = secret(way.secret_file.as_deref())?;
                let body = json!({"name": name, "settings": way.settings(None)?, "secret": secret});
                let made: Provider = client.post("/providers", &body).await?;
                say(format!(
                    "added {}; enter {} there as where browsers come back to, and look whether it answers with `oriel provider test {}`",
                    made.name,
                    callback(client, &made),
                    made.name
                ));
                output::print(&made.id)
            }
            Self::Set { provider, name, enabled, way } => {
                let secret = secret(way.secret_file.as_deref())?;
                let changes = way.says_something();
                if name.is_none() && enabled.is_none() && secret.is_none() && !changes {
                    return Err(
                        Failure::usage("nothing to change").next("`oriel provider set --help` says what can be")
                    );
                }
                let settings = if changes {
                    let before: Provider = client.get(&path(&provider)).await?;
                    Some(way.settings(Some(before.settings))?)
                } else {
                    None
                };
                let body = json!({"name": name, "enabled": enabled, "settings": settings, "secret": secret});
                let changed: Provider = client.patch(&path(&provider), &body).await?;
                say(format!("changed {}; it holds from the next sign-in on", changed.name));
                Ok(())
            }
            Self::Test { provider, json } => {
                let at = format!("{}/test", path(&provider));
                if json.json {
                    return output::print_json(&client.post::<Value>(&at, &json!({})).await?);
                }
                answer(&client.post(&at, &json!({})).await?)
            }
            Self::Remove { provider } => {
                client.delete(&path(&provider)).await?;
                say(format!("removed provider {provider}"));
                Ok(())
            }
        }
    }
}

fn line(label: &str, value: &str) -> Done {
    output::print(&format!("{label:<15} {value}"))
}

fn show(of: &Provider, callback: &str) -> Done {
    let s = &of.settings;
    line("name", &of.name)?;
    line("id", &of.id)?;
    line("state", if of.enabled { "asked" } else { "switched off" })?;
    line("issuer", &s.issuer)?;
    line("client", &s.client_id)?;
    line("secret", if of.has_secret { "kept" } else { "none" })?;
    line("comes back to", callback)?;
    line(
        "trusts",
        &match (&s.pin, &s.ca) {
            (Some(pin), _) => format!("the certificate {pin}"),
            (None, Some(_)) => "a CA of its own".to_owned(),
            (None, None) => "whom the server trusts".to_owned(),
        },
    )?;
    line("scopes", &or_dash(Some(&s.scopes.join(" "))))?;
    line("name by", s.name_claim.as_deref().unwrap_or("preferred_username"))?;
    line("groups by", s.groups_claim.as_deref().unwrap_or("groups"))?;
    line("asks", if s.ask_again { "at each sign-in" } else { "whom it does not know still" })?;
    line(
        "second factor",
        &match (s.factor_acr.join(" "), s.factor_amr.join(" ")) {
            (acr, amr) if acr.is_empty() && amr.is_empty() => "ours".to_owned(),
            (acr, amr) => format!("theirs, by acr {} or amr {}", or_dash(Some(&acr)), or_dash(Some(&amr))),
        },
    )?;
    line("lets in", if s.only_mapped { "who is in a mapped group" } else { "everybody of it" })?;
    for one in &s.groups {
        line("group", &format!("{} is {}", one.value, one.group))?;
    }
    for one in &s.roles {
        line("role", &format!("{} is {}", one.value, word(&one.role)))?;
    }
    line("people here", &of.people.to_string())
}

fn answer(said: &ProviderAnswer) -> Done {
    line("signs in at", &said.authorization_endpoint)?;
    line("tokens at", &said.token_endpoint)?;
    line("more at", said.userinfo_endpoint.as_deref().unwrap_or("-"))?;
    line("keys", &said.keys.to_string())?;
    line("signs with", &said.algorithms.join(" "))?;
    line("PKCE", if said.knows_pkce { "known there" } else { "used, and not named there" })?;
    match &said.client_refused {
        None => line("knows us", "yes"),
        Some(why) => {
            line("knows us", "no")?;
            Err(Failure::new(why.clone())
                .next("compare client id and secret with what the provider says of this client"))
        }
    }
}
