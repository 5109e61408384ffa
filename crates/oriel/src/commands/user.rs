//! `oriel user`.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, age, say, word},
};
use clap::{Subcommand, ValueEnum};
use oriel_server::api::{
    second_factor::SecondFactor,
    user::{UserList, UserMade},
};
use serde_json::{Value, json};
use std::io::Read;

/// Longest password read from stdin, in bytes.
const PASSWORD_BYTES_MAX: u64 = 1024;

#[derive(Subcommand)]
pub enum Command {
    /// List people
    List(Json),
    /// Let a person in; prints a one-time password
    Create {
        name: String,
        #[arg(long, value_enum, default_value_t = Role::User)]
        role: Role,
        /// A pool that a pool-admin administers: id or name; may be given several times
        #[arg(long = "pool", value_name = "POOL")]
        pools: Vec<String>,
        /// Read the password from stdin rather than making a one-time password
        #[arg(long)]
        password_stdin: bool,
    },
    /// Change a person's role, lock out or let in again
    Set {
        /// Id or name
        user: String,
        #[arg(long, value_enum)]
        role: Option<Role>,
        /// A pool that a pool-admin administers from now on, and no others than those named: id or name
        #[arg(long = "pool", value_name = "POOL")]
        pools: Vec<String>,
        /// true locks out and ends all sessions
        #[arg(long)]
        disabled: Option<bool>,
    },
    /// Delete a person who has no desktops
    Delete {
        /// Id or name
        user: String,
    },
    /// Show a person's second factor: whether an app is set up, which passkeys they have, how many recovery codes are left, which
    /// browsers are remembered
    SecondFactor {
        /// Id or name
        user: String,
        #[command(flatten)]
        json: Json,
    },
    /// Take a person's second factor away (app, passkeys, recovery codes), for who lost them; ends all their sessions
    ResetSecondFactor {
        /// Id or name
        user: String,
    },
    /// Make a new one-time password and end all sessions of the person
    ResetPassword {
        /// Id or name
        user: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Role {
    /// Everything
    Admin,
    /// What belongs to them
    User,
    /// Everybody's desktops and connections: sees, switches, ends, looks on as pools allow
    Helpdesk,
    /// Everything in some pools
    PoolAdmin,
    /// Sees everything, recordings too, and changes nothing
    Auditor,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
            Self::Helpdesk => "helpdesk",
            Self::PoolAdmin => "pool_admin",
            Self::Auditor => "auditor",
        }
    }
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        let path = |user: &str| format!("/users/{}", segment(user));
        match self {
            Self::List(Json { json: true }) => output::print_json(&client.get::<Value>("/users").await?),
            Self::List(_) => {
                let list: UserList = client.get("/users").await?;
                let mut rows = Rows::new(
                    ["name", "role", "state", "second factor", "from", "groups", "made"],
                    "nobody may sign in yet",
                );
                for user in list.users {
                    let state = match (user.disabled, user.must_change_password) {
                        (true, _) => "locked out",
                        (_, true) => "must change password",
                        _ => "active",
                    };
                    let groups = user.groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>().join(", ");
                    let of = user.pools.iter().map(|pool| pool.name.as_str()).collect::<Vec<_>>().join(", ");
                    let role = if of.is_empty() { word(&user.role) } else { format!("{} of {of}", word(&user.role)) };
                    let from = output::or_dash(user.directory.as_deref().or(user.provider.as_deref()));
                    let made = age(&user.created_at);
                    let factor = match (user.second_factor, user.passkeys) {
                        (false, _) => output::or_dash(None),
                        (true, 0) => "app".to_owned(),
                        (true, 1) => "passkey".to_owned(),
                        (true, many) => format!("{many} passkeys"),
                    };
                    rows.row([user.name, role, state.to_owned(), factor, from, output::or_dash(Some(&groups)), made]);
                }
                rows.print()
            }
            Self::Create { name, role, pools, password_stdin } => {
                let password = password_stdin.then(read_password).transpose()?;
                let body = json!({"name": name, "role": role.word(), "pools": named(pools), "password": password});
                made(&client.post("/users", &body).await?, "may sign in now")
            }
            Self::Set { user, role, pools, disabled } => {
                if role.is_none() && disabled.is_none() && pools.is_empty() {
                    return Err(Failure::usage("nothing to change").next("give --role, --pool or --disabled"));
                }
                let body = json!({"role": role.map(Role::word), "pools": named(pools), "disabled": disabled});
                made(&client.patch(&path(&user), &body).await?, "was changed")
            }
            Self::Delete { user } => {
                client.delete(&path(&user)).await?;
                say(format!("deleted user {user}"));
                Ok(())
            }
            Self::SecondFactor { user, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&format!("{}/second-factor", path(&user))).await?)
            }
            Self::SecondFactor { user, .. } => {
                let of: SecondFactor = client.get(&format!("{}/second-factor", path(&user))).await?;
                let app = of.totp_since.map_or_else(|| "none".to_owned(), |at| format!("set up {}", age(&at)));
                output::print(&format!("app             {app}"))?;
                output::print(&format!("passkeys        {}", of.passkeys.len()))?;
                for passkey in &of.passkeys {
                    let used = passkey
                        .last_used_at
                        .as_deref()
                        .map_or_else(|| "never used".to_owned(), |at| format!("used {}", age(at)));
                    output::print(&format!(
                        "passkey         {} on {}, made {}, {used}",
                        passkey.label,
                        passkey.host,
                        age(&passkey.created_at)
                    ))?;
                }
                output::print(&format!("recovery codes  {}", of.recovery_codes_left))?;
                output::print(&format!("groups ask      {}", word(&of.rule)))?;
                for browser in of.browsers {
                    output::print(&format!("remembered      {} until {}", browser.label, browser.expires_at))?;
                }
                Ok(())
            }
            Self::ResetSecondFactor { user } => {
                client.delete(&format!("{}/second-factor", path(&user))).await?;
                say(format!("{user} has no second factor now and was signed out everywhere"));
                say("if a group asks for one, whoever signs in next with the password sets it up");
                Ok(())
            }
            Self::ResetPassword { user } => {
                let body = json!({"reset_password": true});
                made(&client.patch(&path(&user), &body).await?, "was signed out everywhere")
            }
        }
    }
}

/// `None`: as it is.
fn named(pools: Vec<String>) -> Option<Vec<String>> {
    (!pools.is_empty()).then_some(pools)
}

fn made(made: &UserMade, says: &str) -> Done {
    say(format!("{} {says}", made.user.name));
    match &made.one_time_password {
        Some(password) => {
            say("one-time password, shown only here; it must be changed at the first login:");
            output::print(password)
        }
        None => Ok(()),
    }
}

fn read_password() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(PASSWORD_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| Failure::because("cannot read the password from stdin", &error))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
