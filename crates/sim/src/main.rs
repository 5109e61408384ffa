//! `./test sim`: many seeds, or one with its log.

use anyhow::Result;
use clap::Parser;
use oriel_sim::Plant;

#[derive(Parser)]
#[command(name = "oriel-sim", about = "Plays the broker's life from seeds: two programs, people, faults, kills")]
struct Arguments {
    /// How many seeds
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// This seed alone, with all that happens in it
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    seed: Option<u64>,
    /// Begins no more seeds after so many seconds, however many are left
    #[arg(long, conflicts_with = "seed")]
    seconds: Option<u64>,
    /// Threads; as many as there are processors when left out
    #[arg(long)]
    threads: Option<usize>,
    /// Puts a mistake in, to see whether it is noticed
    #[arg(long, value_enum)]
    plant: Option<Mistake>,
    /// The results as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// A [`Plant`], as it is written.
#[derive(Clone, Copy, clap::ValueEnum)]
#[expect(clippy::enum_variant_names, reason = "each says what is missing")]
enum Mistake {
    NoLead,
    NoQuotaFence,
    NoPortFence,
    NoSeatFence,
    NoSeatKey,
    NoDrain,
    NoWipe,
    NoDiskFence,
    NoMaintenanceFence,
}

impl From<Mistake> for Plant {
    fn from(mistake: Mistake) -> Self {
        match mistake {
            Mistake::NoLead => Self::NoLead,
            Mistake::NoQuotaFence => Self::NoQuotaFence,
            Mistake::NoPortFence => Self::NoPortFence,
            Mistake::NoSeatFence => Self::NoSeatFence,
            Mistake::NoSeatKey => Self::NoSeatKey,
            Mistake::NoDrain => Self::NoDrain,
            Mistake::NoWipe => Self::NoWipe,
            Mistake::NoDiskFence => Self::NoDiskFence,
            Mistake::NoMaintenanceFence => Self::NoMaintenanceFence,
        }
    }
}

#[expect(clippy::print_stdout, reason = "the results are this program's output")]
fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let (first, count) = arguments.seed.map_or((arguments.first, arguments.seeds), |seed| (seed, 1));
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = arguments.threads.unwrap_or(processors).min(usize::try_from(count).unwrap_or(usize::MAX));
    let limit = arguments.seconds.map(std::time::Duration::from_secs);
    let summary = oriel_sim::play_all(first, count, threads, limit, arguments.plant.map(Into::into))?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        let tally = &summary.tally;
        println!(
            "{} seeds of {count} in {:.1} s: {} steps, {} deeds, {} desktops given, {} entered, {} rounds, {} kills, {} faults, {} lost answers, {} long sleeps",
            summary.seeds,
            summary.seconds,
            tally.steps,
            tally.deeds,
            tally.given,
            tally.entered,
            tally.rounds,
            tally.kills,
            tally.faults,
            tally.lost_replies,
            tally.long_sleeps
        );
    }
    for broken in &summary.failed {
        for line in &broken.log {
            eprintln!("{line}");
        }
        eprintln!("seed {} broke: {}\n  once more: ./test sim --seed {}", broken.seed, broken.what, broken.seed);
    }
    anyhow::ensure!(summary.failed.is_empty(), "{} of {} seeds broke something", summary.failed.len(), summary.seeds);
    Ok(())
}
