//! `oriel session`.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::Done,
    output::{self, Rows, age, say, word},
};
use clap::Subcommand;
use oriel_server::api::session::SessionList;
use serde_json::Value;

#[derive(Subcommand)]
pub enum Command {
    /// List live connections
    List(Json),
    /// End one
    End {
        /// Id
        session: String,
    },
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::List(Json { json: true }) => output::print_json(&client.get::<Value>("/sessions").await?),
            Self::List(_) => {
                let list: SessionList = client.get("/sessions").await?;
                let mut rows = Rows::new(
                    ["id", "user", "desktop", "kind", "viewers", "mbit/s", "fps", "began"],
                    "nobody is connected",
                )
                .right(&[4, 5, 6]);
                for session in list.sessions {
                    rows.row([
                        session.id,
                        session.user.name,
                        session.desktop.name,
                        word(&session.kind),
                        session.viewers.to_string(),
                        format!("{:.1}", session.mbit_s),
                        format!("{:.0}", session.fps),
                        age(&session.started_at),
                    ]);
                }
                rows.print()
            }
            Self::End { session } => {
                client.delete(&format!("/sessions/{}", segment(&session))).await?;
                say(format!("ended session {session}"));
                Ok(())
            }
        }
    }
}
