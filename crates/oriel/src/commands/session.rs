//! `oriel session`.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::{Done, Failure},
    output::{self, Rows, age, or_dash, say, word},
};
use clap::Subcommand;
use oriel_server::api::{
    invite::{GuestRole, InviteLink, NewInvite},
    session::{SessionDetail, SessionList, SessionMessage},
};
use serde_json::Value;

#[derive(Subcommand)]
pub enum Command {
    /// List live connections
    List(Json),
    /// Show one: whence its person comes, how long each part of their log-on took, how far away they are
    Show {
        /// Id
        session: String,
        #[command(flatten)]
        json: Json,
    },
    /// Say something to whoever uses one: it stands in their viewer, with your name, until they close it
    Message {
        /// Id
        session: String,
        /// What to say, in one line
        text: String,
    },
    /// End one
    End {
        /// Id
        session: String,
    },
    /// Make a link to one of your own, for others who are signed in, or for one guest without an account
    Invite {
        /// Id
        session: String,
        /// Guests may use keys and pointer
        #[arg(long)]
        control: bool,
        /// How long the link lets people in
        #[arg(long, default_value_t = 60)]
        minutes: u32,
        /// For one person at a time without an account: they say a name, and wait until you let them in
        #[arg(long)]
        guest: bool,
    },
    /// Print the address at which you look on at one
    Shadow {
        /// Id
        session: String,
        /// Use keys and pointer, too
        #[arg(long)]
        control: bool,
    },
}

/// Where pages are.
fn base(client: &Client) -> Result<String, Failure> {
    let base = client.browser_url().ok_or_else(|| {
        Failure::new("the server has not written down its address").next("look at what `oriel serve` printed")
    })?;
    Ok(base.trim_end_matches('/').to_owned())
}

/// One connection in lines of two words.
fn show(detail: &SessionDetail) -> Done {
    let mut rows = Rows::without_headings();
    let session = &detail.session;
    rows.row(["user".to_owned(), session.user.name.clone()]);
    rows.row(["desktop".to_owned(), session.desktop.name.clone()]);
    rows.row(["pool".to_owned(), or_dash(detail.pool.as_ref().map(|pool| pool.name.as_str()))]);
    rows.row(["host".to_owned(), or_dash(detail.host.as_deref())]);
    rows.row(["kind".to_owned(), word(&session.kind)]);
    rows.row(["from".to_owned(), or_dash(detail.address.as_deref())]);
    rows.row(["viewers".to_owned(), session.viewers.to_string()]);
    rows.row(["began".to_owned(), age(&session.started_at)]);
    for phase in detail.start.iter().chain(&detail.log_on) {
        let took = phase.seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1} s"));
        rows.row([word(&phase.kind), format!("{took}, {}", age(&phase.at))]);
    }
    let last = detail.round_trips.last().map(|trip| format!("{:.0} ms", trip.ms));
    rows.row(["round trip".to_owned(), or_dash(last.as_deref())]);
    rows.print()
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
            Self::Show { session, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&format!("/sessions/{}", segment(&session))).await?)
            }
            Self::Show { session, .. } => show(&client.get(&format!("/sessions/{}", segment(&session))).await?),
            Self::Message { session, text } => {
                let said = SessionMessage { text };
                client.tell(&format!("/sessions/{}/message", segment(&session)), &said).await?;
                say("it stands in their viewer now");
                Ok(())
            }
            Self::End { session } => {
                client.delete(&format!("/sessions/{}", segment(&session))).await?;
                say(format!("ended session {session}"));
                Ok(())
            }
            Self::Invite { session, control, minutes, guest } => {
                let base = base(client)?;
                let new = NewInvite { role: GuestRole::of(control), minutes: Some(minutes), guests: guest };
                let made: InviteLink = client.post(&format!("/sessions/{}/invites", segment(&session)), &new).await?;
                let who = if guest {
                    "whoever has the link knocks, and comes in when you say yes in your desktop's tab"
                } else {
                    "whoever is signed in and has the link comes in"
                };
                say(format!("open until {}; {who}", made.invite.expires_at));
                output::print(&format!("{base}{}", made.path))
            }
            Self::Shadow { session, control } => {
                let base = base(client)?;
                let list: SessionList = client.get("/sessions").await?;
                let found =
                    list.sessions.into_iter().find(|found| found.id == session).ok_or_else(|| {
                        Failure::new(format!("there is no session {session}")).next("oriel session list")
                    })?;
                let control = if control { "&control" } else { "" };
                let kind = found.kind.word();
                output::print(&format!("{base}/viewer/?shadow={}&kind={kind}{control}", found.id))
            }
        }
    }
}
