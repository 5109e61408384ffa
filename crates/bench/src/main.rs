//! Measures the gateway beside the same server asked directly, in one run, so that a number means the same on any machine;
//! and placement beside what others do ([`placement`]).
//!
//! The gateway runs in a process of its own (this program again, with `serve`), so that its memory and CPU time are its own:
//! WebSocket in, protocol out, as in `oriel serve`. The servers are real: Xtigervnc with an xterm in it, FreeRDP's shadow server with H.264,
//! OpenSSH; but for a full screen in motion, which [`motion`] sends.

mod broker;
mod case;
mod devices_case;
mod direct;
mod guacd;
mod motion;
mod placement;
mod process;
mod rdp_case;
mod record;
mod serve;
mod shadow;
mod ssh_case;
mod sshd;
mod target;
mod terminal_viewer;
mod viewer;
mod vnc_case;
mod xserver;

use anyhow::Result;
use case::{Case, Measured};
use clap::{Parser, Subcommand};
use target::Target;

#[derive(Parser)]
#[command(name = "oriel-bench", about = "Measures Oriel beside the same server asked directly")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Measures the gateway; all cases when none is named. With a target, a server of somebody else's in the place of ours (the cases of its
    /// protocol), or guacd in the place of Oriel's gateway
    Gateway {
        #[arg(long, value_enum)]
        case: Option<Case>,
        /// How long each case measures
        #[arg(long, default_value_t = 10)]
        seconds: u64,
        /// KIND=HOST:PORT: vnc, rdp or ssh, a server that Oriel's gateway is put before; who signs in is in ORIEL_BENCH_USER,
        /// ORIEL_BENCH_PASSWORD and ORIEL_BENCH_KEY (a private key's file). guacd: Guacamole's daemon, measured with the same servers
        #[arg(long, value_name = "KIND=ADDR", default_value = "own", hide_default_value = true, value_parser = parse_target)]
        target: Target,
        /// The results as JSON on standard output
        #[arg(long)]
        json: bool,
    },
    /// Measures placement: the public trace openb, and desktops that come and go
    Placement(placement::Options),
    /// Measures many desktops: how long people wait for theirs, what a change costs, and memory
    Broker(broker::Options),
    /// The house with many desktops (started by `broker`)
    #[command(hide = true)]
    BrokerHouse(broker::HouseOptions),
    /// The gateway's process (started by `gateway`)
    #[command(hide = true)]
    Serve {
        /// What the desktops are, as JSON
        #[arg(long)]
        server: Vec<String>,
        /// Records every connection into this folder
        #[arg(long)]
        record: Option<std::path::PathBuf>,
    },
    /// A server with a moving picture (started by `gateway`)
    #[command(hide = true)]
    Motion(motion::Options),
}

fn parse_target(text: &str) -> Result<Target, String> {
    if text == "own" { Ok(Target::Own) } else { text.parse() }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    oriel_gateway::memory::give_back();
    // Fails only when a provider is installed already.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    match Arguments::parse().what {
        What::Serve { server, record } => serve::run(&server, record.as_deref()).await,
        What::Motion(options) => motion::run(options).await,
        What::Broker(options) => broker::run(&options).await,
        What::BrokerHouse(options) => broker::house(options).await,
        What::Placement(options) => placement::run(&options),
        What::Gateway { case, seconds, target, json } => {
            let mut results = Vec::new();
            for case in case.map_or_else(|| Case::all(&target), |case| vec![case]) {
                eprintln!("measuring {} for {seconds} s", case.name());
                results.push(case.run(seconds, &target).await?);
            }
            report(&results, json)
        }
    }
}

#[expect(clippy::print_stdout, reason = "the results are this program's output")]
fn report(results: &[Measured], json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(results)?);
        return Ok(());
    }
    println!("case               cpu %    fps  Mbit/s  added p50 ms  added p95 ms  rss MiB  load  notes");
    for m in results {
        println!(
            "{:<18} {:>5} {:>6.1} {:>7.2} {:>13} {:>13} {:>8} {:>5.2}  {}",
            m.case,
            number(m.cpu_percent, 1),
            m.fps,
            m.mbit_s,
            number(m.added_ms_p50, 2),
            number(m.added_ms_p95, 2),
            number(m.rss_mib, 1),
            m.load,
            m.notes
        );
    }
    Ok(())
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.digits$}"))
}
