//! `oriel token`.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::Done,
    output::{self, Rows, age, say},
};
use clap::Subcommand;
use oriel_server::api::token::{TokenList, TokenMade};
use serde_json::{Value, json};

#[derive(Subcommand)]
pub enum Command {
    /// List the own tokens (needs --server: the local administrator has none)
    List(Json),
    /// Make a token and print it, this once
    Create {
        /// What it is for
        label: String,
        /// How long it is good for; for ever when left out
        #[arg(long, value_name = "DAYS")]
        days: Option<u32>,
        /// Whose it is, for admins; needed on the server itself
        #[arg(long)]
        user: Option<String>,
        /// It changes nothing and opens nothing
        #[arg(long, conflicts_with = "permissions")]
        read_only: bool,
        /// All that it may of what its person may, with commas between: `desktops_read,desktops_operate`; everything when
        /// left out. A word that is none prints the list
        #[arg(long = "permissions", value_name = "PERMISSIONS", value_delimiter = ',')]
        permissions: Vec<String>,
    },
    /// Delete a token: it works no more at once
    Delete {
        /// Id
        token: String,
    },
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::List(Json { json: true }) => output::print_json(&client.get::<Value>("/tokens").await?),
            Self::List(_) => {
                let list: TokenList = client.get("/tokens").await?;
                let mut rows = Rows::new(["id", "label", "may", "made", "expires"], "you have no tokens");
                for token in list.tokens {
                    rows.row([
                        token.id,
                        token.label,
                        match (token.read_only, token.permissions) {
                            (true, _) => "read only".to_owned(),
                            (_, Some(permissions)) => permissions.join(", "),
                            (_, None) => "everything".to_owned(),
                        },
                        age(&token.created_at),
                        token.expires_at.unwrap_or_else(|| "never".to_owned()),
                    ]);
                }
                rows.print()
            }
            Self::Create { label, days, user, read_only, permissions } => {
                let permissions = (!permissions.is_empty()).then_some(permissions);
                let body = json!({
                    "label": label, "expires_in_days": days, "user": user,
                    "read_only": read_only.then_some(true), "permissions": permissions,
                });
                let made: TokenMade = client.post("/tokens", &body).await?;
                say(format!("made token {} ({}); it is shown only here:", made.label, made.id));
                output::print(&made.token)
            }
            Self::Delete { token } => {
                client.delete(&format!("/tokens/{}", segment(&token))).await?;
                say(format!("deleted token {token}"));
                Ok(())
            }
        }
    }
}
