//! The keys that seal secrets: which program has which, how much is sealed with each, and everything sealed anew.
//!
//! A key is added to every program and used by none until all have it: each says again and again what it has
//! ([`Broker::announce_keys`]), and seals with the newest of its keys that all have who have said so lately. So none writes what
//! another cannot read while they are started again one by one. An operation then opens what is sealed with other keys and seals it
//! anew, a batch at a time; what was changed meanwhile is left to whoever changed it. It looks at what is there, so it may be cancelled,
//! killed and repeated at any point, also by two programs at once.

use crate::{Broker, BrokerError, clock::now};
use crate::{account, cloud, directory, export, external, guest, provider, recording, second_factor, webhook};
use futures::FutureExt as _;
use oriel_identity::{SEALED_HEAD_CHARS, VaultError, sealed_with};
use oriel_image::{ImageError, Job};
use oriel_model::{Micros, Operation, OperationKind, OperationState, SealProgram, UserId};
use oriel_store::{Resealed, SealedColumn, SealedText};
use std::collections::BTreeMap;
use std::str::FromStr;

/// One that has said nothing for so long is forgotten.
const FORGOTTEN_SECONDS: i64 = 24 * 60 * 60;
/// Texts that are sealed anew in one transaction.
const BATCH: u64 = 100;
/// How often all is gone through: again for what was changed meanwhile, with a key of before.
const ROUNDS_MAX: usize = 3;
/// Texts that cannot be opened, and are named.
const NAMED_MAX: usize = 50;

/// How things are sealed.
#[derive(Clone, Debug)]
pub struct SealStanding {
    /// Those of this program, the newest first, and those of others or of nobody behind them.
    pub keys: Vec<SealKeyUse>,
    /// Texts that are no envelopes: edited by hand, or damaged.
    pub damaged: u64,
    /// Who has said lately which keys they have.
    pub programs: Vec<SealProgram>,
    /// The last time that all was sealed anew, or is.
    pub operation: Option<Operation>,
}

/// A key, and what is sealed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealKeyUse {
    pub key: String,
    /// Whether this program has it.
    pub here: bool,
    /// Whether this program seals with it.
    pub seals: bool,
    /// What of, and how many; never zero.
    pub of: Vec<(&'static str, u64)>,
}

impl SealKeyUse {
    pub fn count(&self) -> u64 {
        self.of.iter().map(|(_, count)| count).sum()
    }

    /// `3 recordings, 1 cloud`
    fn words(&self) -> String {
        self.of.iter().map(|(what, count)| format!("{count} of {what}")).collect::<Vec<_>>().join(", ")
    }
}

impl Broker {
    pub async fn seal_standing(&self) -> Result<SealStanding, BrokerError> {
        let programs = self.announce_keys().await?;
        let (keys, damaged) = self.key_uses().await?;
        let operations = self.operations().await?;
        let operation = operations.into_iter().find(is_resealing);
        Ok(SealStanding { keys, damaged, programs, operation })
    }

    /// Begins to seal everything with the newest key.
    pub async fn start_resealing(&self, by: Option<UserId>) -> Result<Operation, BrokerError> {
        let programs = self.announce_keys().await?;
        let vault = &self.inner.vault;
        let (newest, key) = (vault.fingerprints().first().copied().unwrap_or_default(), vault.seals_with());
        if let Some(other) = programs.iter().find(|one| !one.keys.iter().any(|has| has == newest)) {
            return Err(BrokerError::conflict(
                "key_not_everywhere",
                format!("the program {} has not the newest key {newest}", other.program),
                "give it that key, start it again, and look at `oriel secrets status`; one that is gone for good is forgotten after a minute",
            ));
        }
        if let Some(other) = programs.iter().find(|one| one.seals != key) {
            return Err(BrokerError::conflict(
                "keys_differ",
                format!("the program {} seals with the key {}, and this one with {key}", other.program, other.seals),
                "give all programs the same keys in the same order; one that was just started needs a quarter of a minute",
            ));
        }
        let (keys, _) = self.key_uses().await?;
        if keys.iter().all(|one| one.seals || one.of.is_empty()) {
            return Err(BrokerError::conflict(
                "nothing_to_reseal",
                format!("everything is sealed with the newest key, {key}"),
                "add a key first: `oriel secrets add-key` on the server, and start it again",
            ));
        }
        let goes_on = |one: &Operation| matches!(one.state, OperationState::Queued | OperationState::Running);
        if self.operations().await?.iter().any(|one| is_resealing(one) && goes_on(one)) {
            return Err(BrokerError::conflict(
                "reseals_already",
                "everything is being sealed anew already",
                "watch it: `oriel operation list`",
            ));
        }
        self.queue_operation(OperationKind::Reseal { key: key.to_owned() }, by).await
    }

    /// Before a program does anything: whether it can open what is sealed, and what the others seal.
    /// Errors: `Conflict`, which names the keys that are missing.
    pub async fn check_seal_keys(&self) -> Result<(), BrokerError> {
        let (keys, _) = self.key_uses().await?;
        let missing: Vec<_> = keys.iter().filter(|one| !one.here && !one.of.is_empty()).collect();
        if !missing.is_empty() {
            let words: Vec<_> = missing.iter().map(|one| format!("{} ({})", one.key, one.words())).collect();
            return Err(missing_key(format!(
                "secrets in the database are sealed with keys that are not here: {}; here are: {}",
                words.join("; "),
                self.inner.vault.fingerprints().join(", ")
            )));
        }
        // Who is refused has better said nothing: the others would wait for it to get the newest key.
        self.check_programs(&self.programs().await?)?;
        let checked = self.check_programs(&self.announce_keys().await?);
        if checked.is_err() {
            // Another began with a newer key at the same moment, before it could see this program.
            self.inner.store.put_seal_program(&SealProgram { seen: Micros(0), ..self.own_keys() }).await?;
        }
        checked
    }

    /// Errors: `Conflict` where one of these programs seals with a key that is not here.
    pub(crate) fn check_programs(&self, programs: &[SealProgram]) -> Result<(), BrokerError> {
        let here = self.inner.vault.fingerprints();
        let is_strange = |one: &&SealProgram| one.program != self.program() && !here.contains(&one.seals.as_str());
        let Some(other) = programs.iter().find(is_strange) else { return Ok(()) };
        Err(missing_key(format!(
            "the program {} on this database seals with the key {}, which is not here; here are: {}",
            other.program,
            other.seals,
            here.join(", ")
        )))
    }

    /// Says which keys this program has, and seals with the newest that all have. Answers all who have said so lately.
    pub(crate) async fn announce_keys(&self) -> Result<Vec<SealProgram>, BrokerError> {
        let (vault, store) = (&self.inner.vault, &self.inner.store);
        let mut own = self.own_keys();
        own.seals = self.shared_key(&self.programs().await?);
        store.put_seal_program(&own).await?;
        // It is said before it is done, and looked at again in between: of two that come at the same moment one at least sees the other.
        let key = self.shared_key(&self.programs().await?);
        if key != own.seals {
            own.seals.clone_from(&key);
            store.put_seal_program(&own).await?;
        }
        if key != vault.seals_with() {
            tracing::info!(key, before = vault.seals_with(), "Secrets are sealed with another key from now on");
            vault.seal_with(&key);
        }
        store.forget_seal_programs(own.seen.plus_seconds(-FORGOTTEN_SECONDS)).await?;
        self.programs().await
    }

    /// All who have said lately which keys they have.
    async fn programs(&self) -> Result<Vec<SealProgram>, BrokerError> {
        Ok(self.inner.store.seal_programs(now().plus_seconds(-SealProgram::ALIVE_SECONDS)).await?)
    }

    fn own_keys(&self) -> SealProgram {
        let vault = &self.inner.vault;
        SealProgram {
            program: self.program().to_owned(),
            seals: vault.seals_with().to_owned(),
            keys: vault.fingerprints().into_iter().map(str::to_owned).collect(),
            seen: now(),
        }
    }

    /// The newest key here that these programs have too; where they share none, it stays with the one that seals.
    fn shared_key(&self, programs: &[SealProgram]) -> String {
        let vault = &self.inner.vault;
        let others: Vec<_> = programs.iter().filter(|one| one.program != self.program()).collect();
        let all_have = |key: &&str| others.iter().all(|one| one.keys.iter().any(|has| has == key));
        vault.fingerprints().into_iter().find(all_have).unwrap_or_else(|| vault.seals_with()).to_owned()
    }

    /// What is sealed with which key, and how much is no envelope at all.
    async fn key_uses(&self) -> Result<(Vec<SealKeyUse>, u64), BrokerError> {
        let vault = &self.inner.vault;
        let (mut by_key, mut damaged) = (BTreeMap::<String, Vec<(&'static str, u64)>>::new(), 0);
        for one in self.inner.store.sealed_counts(SEALED_HEAD_CHARS).await? {
            match sealed_with(&one.head) {
                Some(key) => by_key.entry(key.to_owned()).or_default().push((word(one.column), one.count)),
                None => damaged += one.count,
            }
        }
        let seals = vault.seals_with();
        let mut uses = Vec::new();
        for key in vault.fingerprints() {
            let of = by_key.remove(key).unwrap_or_default();
            uses.push(SealKeyUse { key: key.to_owned(), here: true, seals: key == seals, of });
        }
        uses.extend(by_key.into_iter().map(|(key, of)| SealKeyUse { key, here: false, seals: false, of }));
        Ok((uses, damaged))
    }

    /// The operation's work. Answers one line for people.
    pub(crate) async fn perform_resealing(&self, key: &str, job: &impl Job) -> Result<String, BrokerError> {
        let vault = &self.inner.vault;
        let changed = || {
            BrokerError::conflict(
                "keys_differ",
                format!("this program does not seal with the key {key} (any more)"),
                "look at `oriel secrets status`, and begin again when all programs seal with the newest key",
            )
        };
        let (uses, damaged) = self.key_uses().await?;
        let total = damaged + uses.iter().filter(|one| one.key != key).map(SealKeyUse::count).sum::<u64>();
        let (mut seen, mut put) = (0_u64, 0);
        // How many cannot be opened, and the first of them.
        let (mut failed, mut named) = (0_u64, Vec::new());
        for _ in 0..ROUNDS_MAX {
            let before = put;
            failed = 0;
            named.clear();
            for column in SealedColumn::ALL {
                let mut after = String::new();
                loop {
                    if job.cancelled().now_or_never().is_some() {
                        return Err(ImageError::Cancelled.into());
                    }
                    if vault.seals_with() != key {
                        return Err(changed());
                    }
                    let texts = self.inner.store.sealed_otherwise(column, &vault.head(), &after, BATCH).await?;
                    let Some(last) = texts.last() else { break };
                    after.clone_from(&last.id);
                    let mut anew = Vec::with_capacity(texts.len());
                    for text in &texts {
                        match self.sealed_anew(column, text) {
                            Ok(Some(to)) => {
                                anew.push(Resealed { id: text.id.clone(), from: text.sealed.clone(), to });
                            }
                            Ok(None) => {}
                            Err(error) => {
                                failed += 1;
                                if named.len() < NAMED_MAX {
                                    named.push(format!("{} {}: {error}", word(column), text.id));
                                }
                            }
                        }
                    }
                    put += self.inner.store.replace_sealed(column, &anew).await?;
                    seen += texts.len() as u64;
                    let fraction = seen as f64 / total.max(1) as f64;
                    job.progress(fraction.min(1.0), &format!("sealing anew: {}", word(column)));
                }
            }
            if put == before {
                break;
            }
        }
        named.iter().for_each(|line| job.log(line));
        if failed > 0 {
            return Err(BrokerError::conflict(
                "not_all_resealed",
                format!("{put} are sealed with {key}; {failed} could not be opened, and are as they were"),
                "the log names them: bring their keys back or enter those secrets anew, and resume it",
            ));
        }
        Ok(format!("{put} sealed anew with {key}"))
    }

    /// `None` when it was sealed with the right key meanwhile.
    fn sealed_anew(&self, column: SealedColumn, text: &SealedText) -> Result<Option<String>, VaultError> {
        let mut said = Err(VaultError::NotSealed);
        for context in contexts(column, &text.id) {
            said = self.inner.vault.reseal(&text.sealed, &context);
            if !matches!(said, Err(VaultError::Damaged { .. })) {
                break;
            }
        }
        said
    }
}

fn missing_key(text: String) -> BrokerError {
    BrokerError::conflict(
        "seal_key_missing",
        text,
        "put it among this program's keys (seal.key in the data folder, ORIEL_SEAL_KEY_OLD, …; docs/secrets.md)",
    )
}

const fn is_resealing(operation: &Operation) -> bool {
    matches!(operation.kind, OperationKind::Reseal { .. })
}

/// What is sealed there, for people.
const fn word(column: SealedColumn) -> &'static str {
    match column {
        SealedColumn::Desktop => "desktops and machines",
        SealedColumn::Cloud => "clouds",
        SealedColumn::Directory => "directories",
        SealedColumn::Export => "exports of recordings",
        SealedColumn::HostAccount => "accounts on session hosts",
        SealedColumn::Provider => "providers of identities",
        SealedColumn::Recording => "recordings",
        SealedColumn::Totp => "second factors",
        SealedColumn::Webhook => "webhooks",
    }
}

/// What a row's text may have been sealed for.
fn contexts(column: SealedColumn, id: &str) -> Vec<String> {
    match column {
        // Which of the two it is the pool says; only one of them opens it.
        SealedColumn::Desktop => [of(id, guest::sealing_context), of(id, external::sealing_context)].concat(),
        SealedColumn::Cloud => of(id, cloud::context_of),
        SealedColumn::Directory => of(id, directory::context_of),
        SealedColumn::Export => of(id, export::sealing_context),
        SealedColumn::HostAccount => account_of(id).into_iter().collect(),
        SealedColumn::Provider => of(id, provider::context_of),
        SealedColumn::Recording => of(id, recording::sealing_context),
        SealedColumn::Totp => of(id, second_factor::context_of),
        SealedColumn::Webhook => of(id, webhook::context_of),
    }
}

/// `HOST/PERSON`, as the table's keys are.
fn account_of(id: &str) -> Option<String> {
    let (host, person) = id.split_once('/')?;
    Some(account::context_of(host.parse().ok()?, person.parse().ok()?))
}

fn of<I: FromStr>(id: &str, context: fn(I) -> String) -> Vec<String> {
    id.parse().map(context).into_iter().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use oriel_compute::fake::{FakeCompute, FakeMode};
    use oriel_identity::{KeySources, Vault, add_key};
    use oriel_image::{ImageStore, Quiet};
    use oriel_model::{Accelerator, AcceleratorKind, Subscription, Webhook, WebhookId};
    use oriel_store::Store;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Somebody cancels it when it has done something.
    #[derive(Default)]
    struct Impatient(AtomicBool);

    #[async_trait]
    impl Job for Impatient {
        fn progress(&self, _fraction: f64, _step: &str) {
            self.0.store(true, Ordering::Relaxed);
        }

        fn log(&self, _line: &str) {}

        async fn cancelled(&self) {
            if !self.0.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        }
    }

    fn program(folder: &Path, store: &Store, vault: &Vault) -> Broker {
        let images = ImageStore::new(folder.join("images"), folder.join("cache"));
        let accelerator = Accelerator { kind: AcceleratorKind::Tcg, reason: "test".into() };
        let host = Arc::new(FakeCompute::new("here", FakeMode::Auto));
        Broker::new(store.clone(), vault.clone(), host, images, accelerator)
    }

    #[tokio::test]
    async fn what_was_cancelled_goes_on_where_it_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("oriel.db").to_str().unwrap()).await.unwrap();
        let keys = || Vault::with_keys(folder.path(), &KeySources::default()).unwrap();
        let old = keys();
        let mut ids = Vec::new();
        for n in 0..BATCH + 20 {
            let one = Webhook {
                id: WebhookId::new(),
                url: format!("https://{n}.example/"),
                subscription: Subscription::default(),
                created: Micros(1),
            };
            let sealed = old.seal("secret", &webhook::context_of(one.id)).unwrap();
            store.create_webhook(&one, &sealed).await.unwrap();
            ids.push(one.id);
        }
        let key = add_key(folder.path()).unwrap();
        let vault = keys();
        let broker = program(folder.path(), &store, &vault);
        let counts = async || -> Vec<(bool, u64)> {
            let all = store.sealed_counts(SEALED_HEAD_CHARS).await.unwrap();
            all.iter().map(|one| (sealed_with(&one.head) == Some(key.as_str()), one.count)).collect()
        };

        let cancelled = broker.perform_resealing(&key, &Impatient::default()).await;
        assert!(matches!(cancelled, Err(BrokerError::Image(ImageError::Cancelled))), "{cancelled:?}");
        assert_eq!(counts().await, [(true, BATCH), (false, 20)]);
        assert_eq!(broker.perform_resealing(&key, &Quiet).await.unwrap(), format!("20 sealed anew with {key}"));
        assert_eq!(counts().await, [(true, BATCH + 20)]);
        for id in ids {
            let sealed = store.webhook_secret(id).await.unwrap().unwrap();
            vault.open(&sealed, &webhook::context_of(id)).unwrap();
        }
        // Not with a key with which this program does not seal (any more).
        vault.seal_with(old.seals_with());
        let refused = broker.perform_resealing(&key, &Quiet).await;
        assert!(matches!(refused, Err(BrokerError::Conflict { code: "keys_differ", .. })), "{refused:?}");
        assert_eq!(counts().await, [(true, BATCH + 20)]);
    }

    #[tokio::test]
    async fn a_program_that_was_taken_for_gone_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("oriel.db").to_str().unwrap()).await.unwrap();
        let vault = Vault::with_keys(folder.path(), &KeySources::default()).unwrap();
        let broker = program(folder.path(), &store, &vault);
        broker.check_seal_keys().await.unwrap();
        // Meanwhile another began with a key that only it has: nothing here changes, and it is known.
        let (newer, here) = ("00000000000000aa".to_owned(), vault.seals_with().to_owned());
        let elm = SealProgram {
            program: "elm".to_owned(),
            seals: newer.clone(),
            keys: vec![newer, here.clone()],
            seen: now(),
        };
        store.put_seal_program(&elm).await.unwrap();
        let programs = broker.announce_keys().await.unwrap();
        let refused = broker.check_programs(&programs);
        assert!(matches!(refused, Err(BrokerError::Conflict { code: "seal_key_missing", .. })), "{refused:?}");
        assert!(programs.len() == 2 && vault.seals_with() == here, "{programs:?}");
        // What starts then is refused without a word to the others.
        let broker = program(folder.path(), &store, &vault);
        broker.set_program("oak".to_owned());
        assert!(broker.check_seal_keys().await.is_err());
        assert_eq!(store.seal_programs(Micros(0)).await.unwrap().len(), 2);
    }

    #[test]
    fn every_column_has_its_context() {
        let id = "018f0000-0000-7000-8000-000000000000";
        let account = format!("{id}/{id}");
        let id_in = |column| if column == SealedColumn::HostAccount { account.as_str() } else { id };
        let mut all: Vec<String> =
            SealedColumn::ALL.into_iter().flat_map(|column| contexts(column, id_in(column))).collect();
        assert_eq!(all.len(), SealedColumn::ALL.len() + 1, "a desktop's may be a machine's");
        assert!(
            all.iter().all(|context| context.ends_with(&format!(":{id}")) || context.ends_with(&format!(":{account}"))),
            "{all:?}"
        );
        all.sort();
        all.dedup();
        assert_eq!(all.len(), SealedColumn::ALL.len() + 1);
        for column in [SealedColumn::Cloud, SealedColumn::HostAccount] {
            assert!(contexts(column, "no id").is_empty());
        }
    }
}
