//! `oriel gpu plan`: whose a GPU is at which hours of the week. Asks a server, unlike the rest of `oriel gpu`.

use crate::{
    cli::Json,
    client::{Client, segment},
    failure::Done,
    output::{self, Rows, or_dash, say},
};
use clap::Subcommand;
use oriel_model::{GpuAddress, GpuMode};
use oriel_server::api::gpu_turn::{GpuTurn, GpuTurnList, GpuTurnNew};
use serde_json::Value;

#[derive(Subcommand)]
pub enum Command {
    /// Show whose each GPU is when
    List(Json),
    /// Give a GPU to a pool at some hours of the week
    ///
    /// It is switched when its turn begins, once nobody holds anything of it: ten minutes before a turn ends its desktops are led out.
    /// A GPU that has turns gives nothing outside of them, and a pool that has turns has those GPUs alone and is booked within them.
    Add {
        /// The GPU's address as `oriel gpu list` shows it
        gpu: GpuAddress,
        /// Id or name of a floating or ephemeral pool whose desktops have a GPU
        pool: String,
        /// Days, hours and time zone: `mon-fri 08:00-18:00 Europe/Berlin`
        #[arg(long, value_name = "HOURS")]
        hours: String,
        /// How it is handed out then
        #[arg(long, value_name = "whole|vgpu|vf|shared")]
        mode: GpuMode,
        /// The only profile that it gives then, for vgpu; any when left out
        #[arg(long, value_name = "KEY")]
        profile: Option<String>,
    },
    /// Take a turn away; a GPU without any is everybody's again
    Remove {
        /// As `oriel gpu plan list` shows it
        id: String,
    },
}

fn state(turn: &GpuTurn) -> String {
    let state = match (turn.now, turn.ready) {
        (_, true) => "now",
        (true, false) => "now, and the GPU is not as it says yet",
        (false, false) => "-",
    };
    state.to_owned()
}

impl Command {
    pub async fn run(self, client: &Client) -> Done {
        match self {
            Self::List(Json { json: true }) => output::print_json(&client.get::<Value>("/gpu-turns").await?),
            Self::List(_) => {
                let list: GpuTurnList = client.get("/gpu-turns").await?;
                let mut rows = Rows::new(
                    ["gpu", "host", "pool", "hours", "mode", "profile", "turn", "id"],
                    "no GPU has a time plan: each is whoever's that comes first",
                );
                for turn in list.turns {
                    let (mode, state) = (GpuMode::from(turn.mode).to_string(), state(&turn));
                    let profile = or_dash(turn.profile.as_deref());
                    rows.row([turn.gpu, turn.host, turn.pool.name, turn.hours, mode, profile, state, turn.id]);
                }
                rows.print()
            }
            Self::Add { gpu, pool, hours, mode, profile } => {
                let new = GpuTurnNew { gpu: gpu.to_string(), pool, mode: mode.into(), profile, hours };
                let turn: GpuTurn = client.post("/gpu-turns", &new).await?;
                say(format!(
                    "{} is {}'s at {}; take that away: oriel gpu plan remove {}",
                    turn.gpu, turn.pool.name, turn.hours, turn.id
                ));
                Ok(())
            }
            Self::Remove { id } => {
                client.delete(&format!("/gpu-turns/{}", segment(&id))).await?;
                say("the turn is taken away");
                Ok(())
            }
        }
    }
}
