//! `oriel gpu mode`: what a switch would do, and doing it.

use super::{Host, paint::Paint, paint::wrap};
use crate::{
    cli::Json,
    failure::{Done, FAILED, Failure},
    output::{self, say},
};
use clap::{Args, Subcommand};
use oriel_gpu::{
    Inventory, Sysfs,
    mode::{self, Applied, ApplyError, Plan, ReapplyOutcome, RecoveryOutcome, StateError, StateFolder, Wish},
    sysfs::Folder,
};
use oriel_model::{GpuAddress, GpuMode};
use serde_json::json;
use std::{
    io::{BufRead as _, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

/// Widest line, in characters, where words allow it.
const LINE_MAX: usize = 110;

#[derive(Subcommand)]
pub enum Command {
    /// Show what switching a GPU would do; changes nothing, works on captures
    Plan(PlanArguments),
    /// Switch a GPU: shows the plan, asks, does it, checks every step, and undoes all if one fails
    Set(SetArguments),
    /// Finish or roll back switches that were cut off by a crash
    Recover(StateArguments),
    /// Make every GPU again what it was set to; `oriel serve` does so when it starts
    Reapply(StateArguments),
}

#[derive(Args)]
pub struct Wanted {
    /// Its address as `oriel gpu list` shows it
    address: GpuAddress,
    /// whole (one desktop gets the card), vgpu (slices), vf (SR-IOV functions), shared (the host renders), host (its own)
    #[arg(value_name = "whole|vgpu|vf|shared|host")]
    mode: GpuMode,
    /// Slices to carve now, or virtual functions to make; without it slices are made when desktops start
    #[arg(long, value_name = "N")]
    count: Option<u32>,
    /// Profile of the slices, as `oriel gpu show` lists them
    #[arg(long, value_name = "KEY")]
    profile: Option<String>,
    /// Allow slices of several sizes beside each other (NVIDIA, fewer of each)
    #[arg(long)]
    mixed: bool,
    /// Take the card even though the host's console is on it
    #[arg(long)]
    force: bool,
}

#[derive(Args)]
pub struct PlanArguments {
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    host: Host,
    #[command(flatten)]
    json: Json,
}

#[derive(Args)]
pub struct SetArguments {
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    json: Json,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// No desktop needs the card's slices any more: remove those that exist
    #[arg(long)]
    drained: bool,
    /// Folder in which wished modes and the journal are kept, `gpu` in the data folder when left out
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Args)]
pub struct StateArguments {
    #[command(flatten)]
    json: Json,
    /// Folder in which wished modes and the journal are kept, `gpu` in the data folder when left out
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl Command {
    pub fn run(self, state: &Path) -> Done {
        match self {
            Self::Plan(plan) => plan.run(state),
            Self::Set(set) => set.run(state),
            Self::Recover(recover) => recover.recover(state),
            Self::Reapply(reapply) => reapply.reapply(state),
        }
    }
}

impl Wanted {
    fn plan(&self, sysfs: &dyn Sysfs, inventory: &Inventory) -> Result<Plan, Failure> {
        let wish = Wish {
            gpu: self.address.clone(),
            mode: self.mode,
            profile: self.profile.clone(),
            count: self.count,
            mixed: self.mixed,
            force: self.force,
            card: String::new(),
        };
        mode::plan(sysfs, inventory, &wish).map_err(|error| super::failure(&error))
    }
}

fn value(plan: &impl serde::Serialize) -> Result<serde_json::Value, Failure> {
    serde_json::to_value(plan).map_err(|error| Failure::because("cannot write JSON", &error))
}

/// A refusal is the answer to the question: it is printed, and the exit code says so.
fn refused(plan: &Plan) -> Done {
    if plan.refused.is_empty() { Ok(()) } else { Err(Failure::new("").code(FAILED)) }
}

impl PlanArguments {
    fn run(self, state: &Path) -> Done {
        let (sysfs, inventory) = self.host.read(state)?;
        let plan = self.wanted.plan(sysfs.as_ref(), &inventory)?;
        if self.json.json {
            output::print_json(&value(&plan)?)?;
        } else {
            output::print(&report(&plan, Paint::of_stdout()))?;
        }
        refused(&plan)
    }
}

impl SetArguments {
    fn run(self, state: &Path) -> Done {
        let folder = self.state.as_deref().unwrap_or(state);
        let state = StateFolder::open(folder).map_err(|error| kept(&error))?;
        let host = Folder::host();
        let inventory =
            oriel_gpu::inventory(&host, &super::options_here(folder)).map_err(|error| super::failure(&error))?;
        let plan = self.wanted.plan(&host, &inventory)?;
        if !plan.refused.is_empty() {
            if self.json.json {
                output::print_json(&json!({ "plan": value(&plan)?, "result": "refused" }))?;
            } else {
                output::print(&report(&plan, Paint::of_stdout()))?;
            }
            return refused(&plan);
        }
        if !self.json.json {
            output::print(&report(&plan, Paint::of_stdout()))?;
        }
        if plan.needs_drain && !self.drained {
            return Err(Failure::new(format!("slices of {} exist, and desktops may count on them", plan.gpu))
                .next("stop those desktops, then repeat with --drained"));
        }
        if !plan.is_nothing() && !self.yes && !agreed()? {
            return Err(Failure::new("nothing was changed"));
        }
        let json = self.json.json;
        let applied = mode::apply(&host, &plan, &state, &mut |progress| {
            if !json {
                say(progress.to_string());
            }
        })
        .map_err(|error| match &error {
            ApplyError::State(error) => kept(error),
            _ => Failure::new(error.to_string()),
        })?;
        let (word, text) = match applied {
            Applied::Nothing => ("nothing", format!("{} is as wished: nothing had to be done", plan.gpu)),
            Applied::Done => (
                "done",
                format!(
                    "{} is in mode {} now; after a reboot `oriel serve` sets it again when it starts, and without a server \
                     `oriel gpu mode reapply` does",
                    plan.gpu, plan.to
                ),
            ),
            Applied::AfterReboot => (
                "after-reboot",
                format!(
                    "{} will be in mode {} after a reboot: reboot this host; then `oriel serve` finishes it when it starts, and \
                     without a server `oriel gpu mode reapply` does",
                    plan.gpu, plan.to
                ),
            ),
        };
        if json {
            return output::print_json(&json!({ "plan": value(&plan)?, "result": word }));
        }
        output::print(&text)
    }
}

/// Asks on the terminal; without one nobody can be asked.
fn agreed() -> Result<bool, Failure> {
    let mut input = std::io::stdin();
    if !input.is_terminal() {
        return Err(Failure::usage("this changes the host, and there is no terminal to ask on")
            .next("add --yes to do it without asking"));
    }
    let mut error = std::io::stderr();
    write!(error, "Do this? [y/N] ").and_then(|()| error.flush()).ok();
    let mut line = String::new();
    std::io::BufReader::new(&mut input)
        .read_line(&mut line)
        .map_err(|error| Failure::because("cannot read the answer", &error))?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

fn kept(error: &StateError) -> Failure {
    Failure::new(error.to_string())
}

impl StateArguments {
    fn open(&self, state: &Path) -> Result<StateFolder, Failure> {
        StateFolder::open(self.state.as_deref().unwrap_or(state)).map_err(|error| kept(&error))
    }

    fn recover(self, state: &Path) -> Done {
        let all = mode::recover(&Folder::host(), &self.open(state)?).map_err(|error| kept(&error))?;
        let mut stuck = false;
        let mut rows = Vec::new();
        for one in &all {
            let (word, why) = match &one.outcome {
                RecoveryOutcome::RolledBack => ("rolled-back", String::new()),
                RecoveryOutcome::Finished => ("finished", String::new()),
                RecoveryOutcome::Busy => ("busy", "another program is switching it now".to_owned()),
                RecoveryOutcome::Stuck(why) => ("stuck", why.clone()),
            };
            stuck |= word == "stuck";
            rows.push(json!({ "gpu": one.gpu, "to": one.to, "outcome": word, "reason": why }));
            if !self.json.json {
                let text = match &one.outcome {
                    RecoveryOutcome::RolledBack => format!("{}: the switch to {} was rolled back", one.gpu, one.to),
                    RecoveryOutcome::Finished => format!("{}: the switch to {} was finished", one.gpu, one.to),
                    _ => format!("{}: {why}", one.gpu),
                };
                output::print(&text)?;
            }
        }
        if self.json.json {
            output::print_json(&json!({ "recovered": rows }))?;
        } else if all.is_empty() {
            output::print("no switch was cut off")?;
        }
        if stuck { Err(Failure::new("").code(FAILED)) } else { Ok(()) }
    }

    fn reapply(self, state: &Path) -> Done {
        let state = self.open(state)?;
        let host = Folder::host();
        mode::recover(&host, &state).map_err(|error| kept(&error))?;
        let inventory = oriel_gpu::inventory(&host, &super::options()).map_err(|error| super::failure(&error))?;
        let all = mode::reapply(&host, &inventory, &state).map_err(|error| kept(&error))?;
        let mut failed = false;
        let mut rows = Vec::new();
        for one in &all {
            let (word, text) = match &one.outcome {
                ReapplyOutcome::Nothing => ("nothing", "is so already".to_owned()),
                ReapplyOutcome::Done => ("done", "is so again".to_owned()),
                ReapplyOutcome::AfterReboot => ("after-reboot", "will be so after a reboot".to_owned()),
                ReapplyOutcome::Missing => ("missing", "the card is not there; its mode is kept".to_owned()),
                ReapplyOutcome::Failed(why) => ("failed", why.clone()),
            };
            failed |= word == "failed";
            rows.push(json!({ "gpu": one.wish.gpu, "mode": one.wish.mode, "outcome": word, "reason": text }));
            if !self.json.json {
                output::print(&format!("{} {}: {text}", one.wish.gpu, one.wish.mode))?;
            }
        }
        if self.json.json {
            output::print_json(&json!({ "reapplied": rows }))?;
        } else if all.is_empty() {
            output::print("no modes were set")?;
        }
        if failed { Err(Failure::new("").code(FAILED)) } else { Ok(()) }
    }
}

/// A plan for people.
fn report(plan: &Plan, paint: Paint) -> String {
    let what = match (&plan.profile, plan.count) {
        (Some(profile), Some(count)) => format!(", {count} × {profile}"),
        (Some(profile), None) => format!(", {profile}"),
        (None, Some(count)) => format!(", {count}"),
        (None, None) => String::new(),
    };
    let mixed = if plan.mixed { ", mixed sizes" } else { "" };
    let mut parts = vec![paint.bold(&format!("{}: {} → {}{what}{mixed}", plan.gpu, plan.from, plan.to))];
    if !plan.refused.is_empty() {
        for refusal in &plan.refused {
            // Wrapped before it is painted: escape sequences have no width.
            let text = wrap(&format!("  refused ({}) ", refusal.code), &refusal.reason, LINE_MAX);
            parts.push(paint.bad(&text));
        }
        return parts.join("\n");
    }
    if plan.is_nothing() {
        parts.push(match (plan.needs_reboot, plan.from == plan.to, plan.to) {
            (true, _, _) => "  everything is prepared; it takes effect with the next reboot".to_owned(),
            (false, false, GpuMode::Vgpu) => {
                "  nothing on the host has to be changed: a slice is made when a desktop starts, and removed after it"
                    .to_owned()
            }
            (false, false, _) => {
                "  nothing on the host has to be changed; desktops are given it from then on".to_owned()
            }
            (false, true, _) => "  it is so already: nothing to do".to_owned(),
        });
    }
    for (index, step) in plan.steps.iter().enumerate() {
        parts.push(format!("{:>3}. {}", index + 1, step.does));
        parts.push(format!("       {}", step.command));
        if let Some(undo) = &step.undo {
            parts.push(paint.dim(&format!("       undo: {undo}")));
        }
    }
    if !plan.stops.is_empty() {
        parts.push(String::new());
        parts.push(paint.bold("This stops working:"));
        parts.extend(plan.stops.iter().map(|stop| wrap("  - ", stop, LINE_MAX)));
    }
    if plan.needs_drain {
        parts.push(String::new());
        parts.push(paint.bad("Slices exist that desktops may hold: these must be stopped first."));
    }
    if plan.needs_reboot {
        parts.push(String::new());
        parts.push(paint.bad(
            "A reboot is needed; `oriel serve` goes on with it when the host is back, or `oriel gpu mode reapply`.",
        ));
    }
    parts.join("\n")
}
