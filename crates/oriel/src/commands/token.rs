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
                let mut rows = Rows::new(["id", "label", "made", "expires"], "you have no tokens");
                for token in list.tokens {
                    rows.row([
                        token.id,
                        token.label,
                        age(&token.created_at),
                        token.expires_at.unwrap_or_else(|| "never".to_owned()),
                    ]);
                }
                rows.print()
            }
            Self::Create { label, days, user } => {
                let body = json!({"label": label, "expires_in_days": days, "user": user});
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
