//! Placement, measured on the public trace openb (Alibaba's clusterdata, cluster-trace-gpu-v2023, as republished with the
//! simulator of Weng et al., USENIX ATC '23) by their protocol: tasks shuffled (seeds 42 and on), random ones again until the GPUs
//! asked for are 1.3 times those of the cluster, placed one after the other; nothing departs, what does not fit is passed over.
//! The measure is the share of all GPU thousandths that is given out when 100 % and when 130 % have been asked for.

pub mod growth;
pub mod vdi;

use anyhow::{Context, Result, bail, ensure};
use oriel_model::DesktopId;
use oriel_placement::{Card, Fleet, Group, GroupId, Host, NumaNode, Placer, Policy, Request, Wish};
use serde::Serialize;
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

/// The traces of the data folder, in the order of the table.
const TRACES: [&str; 5] = ["default", "gpushare40", "multigpu20", "gpuspec33", "cpu200"];
/// Policies of the table.
const POLICIES: [&str; 8] =
    ["random", "breadth-first", "depth-first", "best-fit", "first-fit", "fgd", "performance", "density"];
/// A GPU.
const WHOLE: u32 = 1000;
const FIRST_SEED: u64 = 42;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The folder with the openb_….csv of Alibaba's cluster-trace-gpu-v2023; not needed for `vdi` and `growth`
    #[arg(long)]
    data: Option<PathBuf>,
    /// A trace of openb (default, gpushare40, …), `vdi` (desktops that come and go) or `growth` (10 to 100,000 of them); all when
    /// none is named
    #[arg(long)]
    trace: Option<String>,
    /// density, performance, first-fit, best-fit, random, fgd, depth-first or breadth-first; all when none is named
    #[arg(long)]
    policy: Option<String>,
    /// Runs, each in another order
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// The results as JSON on standard output: an object for one trace and policy, else a list
    #[arg(long)]
    json: bool,
}

/// `oriel-bench placement`.
pub fn run(options: &Options) -> Result<()> {
    let policies = |all: &[&str]| -> Vec<String> {
        options
            .policy
            .as_ref()
            .map_or_else(|| all.iter().map(|name| (*name).to_owned()).collect(), |one| vec![one.clone()])
    };
    let trace = options.trace.as_deref();
    if trace.is_none_or(|trace| trace != "vdi" && trace != "growth") {
        let data =
            options.data.as_deref().context("--data is missing: the folder with the openb_….csv of Alibaba's trace")?;
        let mut results = Vec::new();
        for trace in trace.map_or_else(|| TRACES.to_vec(), |one| vec![one]) {
            for policy in policies(&POLICIES) {
                eprintln!("{trace}: {policy}, {} seeds", options.seeds);
                results.push(measure(data, trace, &policy, options.seeds)?);
            }
        }
        let title = "trace       policy         at 100 %  at 130 %    σ  µs a decision";
        show(options, title, &results, |one| {
            format!(
                "{:<11} {:<13} {:>9.2} {:>9.2} {:>5.2} {:>13.1}",
                one.trace, one.policy, one.mean_at_100, one.mean_at_130, one.stdev_at_130, one.us_per_decision
            )
        })?;
    }
    if trace == Some("vdi") || (trace.is_none() && !options.json) {
        let mut results = Vec::new();
        for kind in vdi::Kind::ALL {
            for load in vdi::LOADS {
                for policy in policies(&vdi::POLICIES) {
                    // Where a span decides, `random` takes the first host: that is no baseline.
                    if kind == vdi::Kind::Booked && policy == "random" {
                        continue;
                    }
                    results.push(vdi::measure(kind, load, &policy, options.seeds)?);
                }
                eprintln!("{} at {load:.2}", kind.word());
            }
        }
        let title =
            "regime              load  policy         refused memory %  refused desktops %  neighbours  µs a decision";
        show(options, title, &results, |one| {
            format!(
                "{:<19} {:>4.2}  {:<14} {:>16.2} {:>19.2} {:>11.2} {:>14.1}",
                one.kind.word(),
                one.load,
                one.policy,
                one.memory_percent,
                one.desktops_percent,
                one.neighbours,
                one.us_per_decision
            )
        })?;
    }
    if trace == Some("growth") || (trace.is_none() && !options.json) {
        let results = growth::STEPS.iter().map(|(hosts, desktops)| growth::measure(*hosts, *desktops));
        let results = results.collect::<Result<Vec<_>>>()?;
        show(options, "hosts  desktops  µs a change (leave, choose, write down)", &results, |one| {
            format!("{:>5} {:>9} {:>12.1}", one.hosts, one.desktops, one.us_per_change)
        })?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the results are this program's output")]
fn show<T: Serialize>(options: &Options, title: &str, results: &[T], line: impl Fn(&T) -> String) -> Result<()> {
    match results {
        [one] if options.json => println!("{}", serde_json::to_string_pretty(one)?),
        _ if options.json => println!("{}", serde_json::to_string_pretty(results)?),
        _ => {
            println!("{title}");
            results.iter().for_each(|one| println!("{}", line(one)));
        }
    }
    Ok(())
}

#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    pub trace: String,
    pub policy: String,
    pub seeds: u64,
    /// Percent of all GPU thousandths given out when as many were asked for as there are.
    pub mean_at_100: f64,
    pub mean_at_130: f64,
    pub stdev_at_130: f64,
    pub us_per_decision: f64,
}

/// The cluster and the tasks.
struct Trace {
    hosts: Vec<(Host, String, u32)>,
    tasks: Vec<Request>,
}

impl Trace {
    fn read(folder: &Path, name: &str) -> Result<Self> {
        let nodes = rows(&folder.join("openb_node_list_gpu_node.csv"))?;
        let hosts = nodes.iter().map(|row| {
            let numa = vec![NumaNode { cpu_milli: number(row, "cpu_milli")?, memory_mib: number(row, "memory_mib")? }];
            let host = Host { name: row.get("sn").context("no column sn")?.clone(), numa };
            Ok((host, row.get("model").context("no column model")?.clone(), number::<u32>(row, "gpu")?))
        });
        let hosts = hosts.collect::<Result<Vec<_>>>()?;
        let tasks = rows(&folder.join(format!("openb_pod_list_{name}.csv")))?;
        let tasks = tasks.iter().map(|row| {
            let (count, amount) = (number::<u32>(row, "num_gpu")?, number::<u32>(row, "gpu_milli").unwrap_or(0));
            let wish = if count == 0 { Wish::None } else { Wish::Share { amount, count } };
            let mut request = Request::new(wish, number(row, "cpu_milli")?, number(row, "memory_mib")?);
            let spec = row.get("gpu_spec").map_or("", String::as_str);
            request.groups = spec.split('|').filter(|model| !model.is_empty()).map(str::to_owned).collect();
            Ok(request)
        });
        Ok(Self { hosts, tasks: tasks.collect::<Result<Vec<_>>>()? })
    }

    fn fleet(&self) -> Result<Fleet> {
        let mut fleet = Fleet::new();
        let mut groups: HashMap<&str, GroupId> = HashMap::new();
        for (host, model, count) in &self.hosts {
            let group = match groups.get(model.as_str()) {
                Some(group) => *group,
                None => fleet.add_group(Group::new(model, "10de").with_share(WHOLE))?,
            };
            groups.insert(model, group);
            let host = fleet.add_host(host.clone());
            for at in 0..*count {
                fleet.add_card(Card { host, group, address: format!("0000:{at:02x}:00.0"), numa: None, enabled: 1 })?;
            }
        }
        Ok(fleet)
    }

    fn supply(&self) -> u64 {
        self.hosts.iter().map(|(_, _, count)| u64::from(*count * WHOLE)).sum()
    }
}

/// Thousandths of GPUs that a request asks for.
fn demand(request: &Request) -> u64 {
    match request.wish {
        Wish::Share { amount, count } => u64::from(amount) * u64::from(count),
        _ => 0,
    }
}

/// Measures one policy on one trace.
pub fn measure(folder: &Path, trace: &str, policy: &str, seeds: u64) -> Result<Measured> {
    ensure!(seeds > 0, "at least one seed");
    let data = Trace::read(folder, trace)?;
    let policy_of = |seed: u64| match Policy::from_str(policy) {
        Ok(Policy::Baseline(oriel_placement::Baseline::Random { .. })) => {
            Ok(Policy::Baseline(oriel_placement::Baseline::Random { seed }))
        }
        other => other.map_err(anyhow::Error::msg),
    };
    let mut runs = Vec::new();
    for seed in FIRST_SEED..FIRST_SEED + seeds {
        runs.push(replay(&data, policy_of(seed)?, seed)?);
    }
    let mean = |value: &dyn Fn(&Run) -> f64| runs.iter().map(value).sum::<f64>() / runs.len() as f64;
    let at_130 = mean(&|run| run.at_130);
    Ok(Measured {
        trace: trace.to_owned(),
        policy: policy.to_owned(),
        seeds,
        mean_at_100: mean(&|run| run.at_100),
        mean_at_130: at_130,
        stdev_at_130: mean(&|run| (run.at_130 - at_130).powi(2)).sqrt(),
        us_per_decision: mean(&|run| run.microseconds),
    })
}

struct Run {
    at_100: f64,
    at_130: f64,
    microseconds: f64,
}

fn replay(trace: &Trace, policy: Policy, seed: u64) -> Result<Run> {
    let supply = trace.supply();
    let mut random = Random(seed);
    let mut order: Vec<&Request> = trace.tasks.iter().collect();
    for at in (1..order.len()).rev() {
        order.swap(at, random.below(at + 1));
    }
    let mut asked: u64 = order.iter().map(|task| demand(task)).sum();
    while asked * 10 < supply * 13 {
        let task = trace.tasks.get(random.below(trace.tasks.len())).context("the trace has no tasks")?;
        asked += demand(task);
        order.push(task);
    }
    let mut fleet = trace.fleet()?;
    let mut placer = Placer::new(policy.clone());
    if policy == Policy::Baseline(oriel_placement::Baseline::Fgd) {
        // As published: it knows the trace's typical tasks beforehand.
        let mix: Vec<_> = trace.tasks.iter().map(|task| (task.clone(), 1)).collect();
        placer.set_mix(&fleet, &mix);
    }
    let (mut arrived, mut given, mut at_100) = (0, 0, None);
    let before = cpu_time();
    for (at, task) in order.iter().enumerate() {
        let decision = placer.choose(&fleet, task);
        arrived += demand(task);
        if let Some(decision) = decision {
            given += demand(task);
            fleet.hold(owner(at), &decision)?;
        }
        if at_100.is_none() && arrived >= supply {
            at_100 = Some(given);
        }
    }
    let spent = cpu_time() - before;
    let percent = |given: u64| given as f64 * 100.0 / supply as f64;
    Ok(Run {
        at_100: percent(at_100.unwrap_or(given)),
        at_130: percent(given),
        microseconds: spent * 1e6 / order.len() as f64,
    })
}

fn owner(number: usize) -> DesktopId {
    DesktopId(uuid::Uuid::from_u128(number as u128))
}

/// Seconds that this thread spent on a CPU: what others do on the machine is not measured. Linux counts it in the first number
/// of `schedstat`, in nanoseconds, brought up to date every few milliseconds.
fn cpu_time() -> f64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds: u64 = text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
    nanoseconds as f64 / 1e9
}

type Row = HashMap<String, String>;

/// A CSV without quotes, as these are.
fn rows(path: &Path) -> Result<Vec<Row>> {
    let text = fs::read_to_string(path).with_context(|| {
        format!("cannot read {}: --data names the folder with the openb_….csv of Alibaba's trace", path.display())
    })?;
    let mut lines = text.lines();
    let Some(header) = lines.next() else { bail!("{} is empty", path.display()) };
    let names: Vec<_> = header.split(',').map(str::trim).collect();
    let row = |line: &str| -> Row {
        names.iter().zip(line.split(',')).map(|(name, cell)| ((*name).to_owned(), cell.trim().to_owned())).collect()
    };
    Ok(lines.filter(|line| !line.trim().is_empty()).map(row).collect())
}

fn number<T: FromStr>(row: &Row, column: &str) -> Result<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let cell = row.get(column).with_context(|| format!("no column {column}"))?;
    cell.parse().with_context(|| format!("`{cell}` in column {column} is no number"))
}

/// Splitmix64: the same shuffles on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// Between 0 and 1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }
}
