//! `oriel cloud`: an OpenStack on which desktops stand. The doctor of a file and the access rules need no server.

use super::doctor::report;
use super::gpu::paint::Paint;
use super::machine::{secret, split_address};
use super::operation;
use crate::{
    cli::{Global, Json},
    client::{Client, segment},
    failure::{Done, FAILED, Failure},
    output::{self, Rows, age, or_dash, say},
};
use clap::{Args, Subcommand};
use oriel_model::{Finding, Severity};
use oriel_openstack::{ACCESS_RULES, Clouds, Options};
use oriel_server::api::{
    cloud::{Cloud, CloudList},
    host::FindingList,
    operation::Operation,
};
use serde_json::{Map, Value, json};
use std::{
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

/// Longest file that is sent, in bytes.
const FILE_BYTES_MAX: u64 = 256 << 10;

#[derive(Subcommand)]
pub enum Command {
    /// Find out what works on a cloud and what does not; changes nothing there
    Doctor(Doctor),
    /// Print the rights that Oriel needs, as access rules of an application credential
    AccessRules,
    /// List clouds
    List(Json),
    /// Show a cloud: the pools on it, and the images that it has
    Show {
        /// Id or name
        cloud: String,
        #[command(flatten)]
        json: Json,
    },
    /// Let pools stand on a cloud
    Add {
        /// What Oriel calls it
        name: String,
        #[command(flatten)]
        way: Way,
    },
    /// Say anew how to sign in to the same project, as when a credential is renewed, or how its desktops are reached
    Set {
        /// Id or name
        cloud: String,
        #[command(flatten)]
        change: Change,
    },
    /// Find out, from the server, what works on a cloud and what does not
    Test {
        /// Id or name
        cloud: String,
        #[command(flatten)]
        json: Json,
    },
    /// Bring a version of an image to a cloud, or say which of its images holds it
    Image {
        /// Id or name
        cloud: String,
        /// Image: id, name (its newest version) or name:version
        image: String,
        /// It is there: the cloud's own id of it, as `openstack image list` shows it
        #[arg(long, value_name = "ID")]
        remote: Option<String>,
        /// Forget it; the image stays on the cloud
        #[arg(long, conflicts_with = "remote")]
        forget: bool,
        #[command(flatten)]
        watch: operation::Watch,
    },
    /// Forget a cloud on which no pool stands
    Remove {
        /// Id or name
        cloud: String,
    },
}

/// How Oriel signs in.
#[derive(Args)]
pub struct Way {
    /// The file that says where the cloud is and how to sign in, as `openstack` reads it (- for stdin); only the part about one
    /// cloud is kept, sealed
    #[arg(long, value_name = "FILE", env = "OS_CLIENT_CONFIG_FILE", hide_env_values = true)]
    clouds_yaml: PathBuf,
    /// Which of the file's clouds, where it has several
    #[arg(long = "cloud", value_name = "NAME", env = "OS_CLOUD", hide_env_values = true)]
    which: Option<String>,
    /// Which region, where the cloud has several
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

impl Way {
    fn body(&self, name: &str) -> Result<Value, Failure> {
        let mut body = sign_in(&self.clouds_yaml, self.which.as_deref(), self.region.as_deref())?;
        body.insert("name".to_owned(), name.into());
        Ok(Value::Object(body))
    }
}

/// What is to be another; what is left out stays.
#[derive(Args)]
pub struct Change {
    /// The file that says where the cloud is and how to sign in, as `openstack` reads it (- for stdin); left out, it is signed in to
    /// as before
    #[arg(long, value_name = "FILE")]
    clouds_yaml: Option<PathBuf>,
    /// Which of the file's clouds, where it has several
    #[arg(long = "cloud", value_name = "NAME", requires = "clouds_yaml")]
    which: Option<String>,
    /// Which region, where the cloud has several
    #[arg(long, value_name = "REGION", requires = "clouds_yaml")]
    region: Option<String>,
    /// Dial desktops and their screens through this SSH server, as where their networks are not reached from here
    #[arg(long, value_name = "USER@HOST[:PORT]", requires = "jump_key_file")]
    jump: Option<String>,
    /// The private key with which the jump host lets Oriel in (- for stdin); kept sealed
    #[arg(long, value_name = "FILE", requires = "jump")]
    jump_key_file: Option<PathBuf>,
    /// The passphrase of that key
    #[arg(long, value_name = "FILE", requires = "jump")]
    jump_passphrase_file: Option<PathBuf>,
    /// The key that the jump host must show, `ssh-ed25519 AAAA…`; left out, the one that it shows now
    #[arg(long, value_name = "KEY", requires = "jump")]
    jump_host_key: Option<String>,
    /// Dial desktops straight again
    #[arg(long, conflicts_with = "jump")]
    no_jump: bool,
    /// Let only this network dial desktops (several times for several; `any` for every one): the server's address, or the jump host's
    #[arg(long = "from", value_name = "NETWORK")]
    from: Vec<String>,
    /// Shelve desktops that are off for ten minutes: they take no room on a host, and longer to start
    #[arg(long, value_name = "on|off", value_parser = on_off)]
    shelve: Option<bool>,
}

fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(String::from("say on or off")),
    }
}

impl Change {
    fn body(&self) -> Result<Value, Failure> {
        let mut body = match &self.clouds_yaml {
            Some(file) => sign_in(file, self.which.as_deref(), self.region.as_deref())?,
            None => Map::new(),
        };
        let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
        if let Some(jump) = &self.jump {
            let (user, at) = jump.rsplit_once('@').filter(|(user, _)| !user.is_empty()).ok_or_else(|| {
                Failure::usage(format!("{jump:?} names no account")).next("give USER@HOST or USER@HOST:PORT")
            })?;
            let (host, port) = split_address(at)?;
            put(
                "jump",
                json!({
                    "host": host, "port": port, "user": user, "private_key": secret(self.jump_key_file.as_deref())?,
                    "passphrase": secret(self.jump_passphrase_file.as_deref())?, "host_key": self.jump_host_key,
                }),
            );
        }
        if self.no_jump {
            put("without_jump", true.into());
        }
        if !self.from.is_empty() {
            let some = self.from.iter().filter(|network| *network != "any").cloned().collect::<Vec<_>>();
            if some.len() < self.from.len() && !some.is_empty() {
                return Err(
                    Failure::usage("any network is more than some").next("say --from any alone, or the networks")
                );
            }
            put("gateways", some.into());
        }
        if let Some(shelve) = self.shelve {
            put("shelve", shelve.into());
        }
        if body.is_empty() {
            return Err(Failure::usage("there is nothing to change")
                .next("say --clouds-yaml FILE for another way to sign in; `oriel cloud set --help` lists the rest"));
        }
        Ok(Value::Object(body))
    }
}

fn sign_in(file: &Path, which: Option<&str>, region: Option<&str>) -> Result<Map<String, Value>, Failure> {
    let unusable =
        |error| Failure { code: crate::failure::USAGE, ..Failure::because("cannot use the cloud's file", &error) };
    let (text, ca) = if file.as_os_str() == "-" {
        (read_to_end(std::io::stdin().lock(), "the standard input")?, None)
    } else {
        // Read here first: what is wrong with it is said where it is, and paths in it are of this machine.
        let cloud = Clouds::file(file).and_then(|clouds| clouds.pick(which));
        let ca = cloud.map_err(unusable)?.cacert.map(|path| read_file(&path)).transpose()?;
        (read_file(file)?, ca)
    };
    let said = [("clouds_yaml", json!(text)), ("cloud", json!(which)), ("region", json!(region)), ("ca", json!(ca))];
    Ok(said.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn read_file(path: &Path) -> Result<String, Failure> {
    let file = std::fs::File::open(path)
        .map_err(|error| Failure::because(format!("cannot read {}", path.display()), &error))?;
    read_to_end(file, &path.display().to_string())
}

fn read_to_end(from: impl Read, name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let taken = from.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    taken.map_err(|error| Failure::because(format!("cannot read {name}"), &error))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Failure::new(format!("{name} is longer than {FILE_BYTES_MAX} bytes")).next("name another file"));
    }
    Ok(text)
}

#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 without errors (warnings are for people to weigh), 1 with errors, 2 wrong usage or a file that cannot be used."
)]
pub struct Doctor {
    /// The file that says where the cloud is and how to sign in, as `openstack` reads it
    #[arg(long, value_name = "FILE", env = "OS_CLIENT_CONFIG_FILE", hide_env_values = true)]
    clouds_yaml: PathBuf,
    /// Which of the file's clouds, where it has several
    #[arg(long, value_name = "NAME", env = "OS_CLOUD", hide_env_values = true)]
    cloud: Option<String>,
    /// Only this region, where the cloud has several
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    #[command(flatten)]
    json: Json,
}

impl Command {
    pub async fn run(self, global: &Global) -> Done {
        match self {
            Self::Doctor(doctor) => return doctor.run().await,
            Self::AccessRules => return output::print(ACCESS_RULES.trim_end()),
            _ => {}
        }
        self.ask(&global.client()?).await
    }

    async fn ask(self, client: &Client) -> Done {
        let path = |cloud: &str| format!("/clouds/{}", segment(cloud));
        match self {
            Self::Doctor(_) | Self::AccessRules => Ok(()),
            Self::List(Json { json: true }) => output::print_json(&client.get::<Value>("/clouds").await?),
            Self::List(_) => {
                let list: CloudList = client.get("/clouds").await?;
                let mut rows = Rows::new(
                    ["name", "address", "region", "pools", "images", "made"],
                    "there are no clouds: let pools stand on one with `oriel cloud add NAME --clouds-yaml FILE`",
                )
                .right(&[3, 4]);
                for one in list.clouds {
                    rows.row([
                        one.name,
                        one.address,
                        or_dash(one.region.as_deref()),
                        one.pools.len().to_string(),
                        one.images.len().to_string(),
                        age(&one.created_at),
                    ]);
                }
                rows.print()
            }
            Self::Show { cloud, json: Json { json: true } } => {
                output::print_json(&client.get::<Value>(&path(&cloud)).await?)
            }
            Self::Show { cloud, .. } => show(&client.get(&path(&cloud)).await?),
            Self::Add { name, way } => {
                let made: Cloud = client.post("/clouds", &way.body(&name)?).await?;
                say(format!(
                    "added {0}; look whether all is well there with `oriel cloud test {0}`, bring an image there with `oriel cloud image {0} IMAGE`, and make a pool with `oriel pool create NAME --image IMAGE --cloud {0} --flavor FLAVOR`",
                    made.name
                ));
                output::print(&made.id)
            }
            Self::Set { cloud, change } => {
                let changed: Cloud = client.put_json(&path(&cloud), &change.body()?).await?;
                say(format!("changed {}; it holds at once", changed.name));
                if let Some(jump) = changed.reach.jump.filter(|_| change.jump.is_some()) {
                    say(format!("the jump host {} must show this from now on: {}", jump.host, jump.host_key));
                }
                Ok(())
            }
            Self::Test { cloud, json } => {
                let said: FindingList = client.post(&format!("{}/test", path(&cloud)), &json!({})).await?;
                let findings = serde_json::to_value(&said.findings).and_then(serde_json::from_value::<Vec<Finding>>);
                let findings =
                    findings.map_err(|error| Failure::because("the server's findings are not understood", &error))?;
                told(&findings, json.json)
            }
            Self::Image { cloud, image, remote, forget, watch } => {
                let at = format!("{}/images/{}", path(&cloud), segment(&image));
                match remote {
                    Some(remote) => {
                        client.put_body(&at, &json!({"remote": remote})).await?;
                        say(format!("{image} is image {remote} of {cloud}"));
                    }
                    None if !forget => {
                        let operation: Operation = client.post(&at, &json!({})).await?;
                        return watch.follow(client, operation).await;
                    }
                    None => {
                        client.delete(&at).await?;
                        say(format!("forgot which image of {cloud} holds {image}"));
                    }
                }
                Ok(())
            }
            Self::Remove { cloud } => {
                client.delete(&path(&cloud)).await?;
                say(format!("removed cloud {cloud}"));
                Ok(())
            }
        }
    }
}

fn show(of: &Cloud) -> Done {
    let line = |label: &str, value: &str| output::print(&format!("{label:<15} {value}"));
    line("name", &of.name)?;
    line("id", &of.id)?;
    line("address", &of.address)?;
    line("region", &or_dash(of.region.as_deref()))?;
    line("signs in as of", &of.changed_at)?;
    let pools: Vec<&str> = of.pools.iter().map(|pool| pool.name.as_str()).collect();
    line("pools", &or_dash(Some(&pools.join(", "))))?;
    if let Some(jump) = &of.reach.jump {
        line("through", &format!("{}@{}:{}, which shows {}", jump.user, jump.host, jump.port, jump.host_key))?;
    }
    let from = of.reach.gateways.join(", ");
    line("dialled from", if from.is_empty() { "anywhere" } else { &from })?;
    line("when off", if of.reach.shelve { "shelved" } else { "stopped" })?;
    line("desktops", &of.desktops.to_string())?;
    if let Some(look) = &of.looked {
        line("last look", &format!("{}: {}", look.at, look.problem.as_deref().unwrap_or("it answers")))?;
    }
    for one in &of.images {
        line("image", &format!("{}:{} is {}", one.image.name, one.image.version, one.remote))?;
    }
    Ok(())
}

fn told(findings: &[Finding], as_json: bool) -> Done {
    if as_json {
        output::print_json(&json!({"findings": findings}))?;
    } else {
        output::print(report(findings, Paint::of_stdout()).trim_end())?;
    }
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(Failure::silent(FAILED));
    }
    Ok(())
}

impl Doctor {
    async fn run(self) -> Done {
        let unusable =
            |error| Failure { code: crate::failure::USAGE, ..Failure::because("cannot use the cloud's file", &error) };
        let cloud =
            Clouds::file(&self.clouds_yaml).and_then(|clouds| clouds.pick(self.cloud.as_deref())).map_err(unusable)?;
        // Somebody waits: what does not answer soon is a finding.
        let options = Options { answer_time: Duration::from_secs(20), attempts: 2, ..Options::default() };
        let findings = oriel_openstack::doctor::doctor(&cloud, self.region.as_deref(), &options).await;
        told(&findings, self.json.json)
    }
}
