//! Where the points are played: an environment with a database that counts, and a release of the sample application.

use anyhow::{Context as _, Result, ensure};
use ffe_notify::standin::Standin;

use crate::Stage;
use crate::gate::Gate;

/// What a configuration asks for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// The application's version.
    pub(super) tag: &'static str,
    /// Makes a revision of its own.
    pub(super) point: String,
    /// Its check can pass.
    pub(super) good: bool,
    /// A dump is taken before a migration.
    pub(super) backup: bool,
    /// It may take the schema back.
    pub(super) goes_back: bool,
    /// How long its check must go on to pass, in HCL.
    pub(super) stable_for: &'static str,
}

/// The place.
pub(super) struct Scene<'a> {
    /// The case's.
    pub(super) stage: &'a mut Stage,
    /// Before the API server.
    pub(super) gate: Gate,
    webhook: Standin,
}

const RESET: &str = "drop table feedback; alter table decisions drop column provider; \
    update alembic_version set version_num = '0003_positions'; truncate moves restart identity";
const SEED: &str = "insert into decisions (account_id, instrument_id, action, confidence) \
      select 1, id, 'BUY', 50 from instruments; \
    insert into positions (account_id, instrument_id, decision_id, quantity, entry_price) \
      select 1, instrument_id, id, 1, 100 from decisions limit 2";
/// Each move of the schema leaves a line, whoever makes it.
const COUNT: &str = "create table moves (id serial, version text); \
    create function note_move() returns trigger language plpgsql as \
      $$ begin insert into moves (version) values (new.version_num); return new; end $$; \
    create trigger note_move after insert or update on alembic_version for each row execute function note_move()";

impl<'a> Scene<'a> {
    /// Opens the gate and makes the environment.
    pub(super) fn open(stage: &'a mut Stage) -> Result<Scene<'a>> {
        stage.shorten_leases();
        let gate = Gate::open(&stage.kube)?;
        gate.kubeconfig_in(&stage.side("gate")?)?;
        let scene = Scene { gate, webhook: Standin::webhook()?, stage };
        scene.configure(None)?;
        scene.stage.apply()?.ok()?;
        Ok(scene)
    }

    /// Writes the configuration: the environment, and the release if one is wanted.
    pub(super) fn configure(&self, wanted: Option<&Wanted>) -> Result<()> {
        let namespace = &self.stage.name;
        let environment = format!(
            r#"
provider "ffe" {{
  kubernetes    = {{ config_path = "{kubeconfig}" }}
  helm          = {{ binary = "{helm}" }}
  notifications = [{{ kind = "webhook", url = "{webhook}" }}]
}}

resource "ffe_environment" "this" {{
  name      = "dev"
  preset    = "dev"
  namespace = "{namespace}"
  database  = {{ mode = "bundled", version = "15", storage = {{ size = "256Mi" }} }}
}}
"#,
            kubeconfig = self.stage.side("gate")?.join("kubeconfig").display(),
            helm = self.stage.surroundings.helm4.display(),
            webhook = self.webhook.url(),
        );
        let release = wanted.map(|wanted| self.release(wanted)).unwrap_or_default();
        self.stage.configure_with(&format!("{environment}{release}"))
    }

    fn release(&self, wanted: &Wanted) -> String {
        let (path, timeout) = if wanted.good { ("/health", "1m") } else { ("/no-such-page", "1s") };
        format!(
            r#"
resource "ffe_release" "backend" {{
  namespace = ffe_environment.this.namespace
  name      = "ffe-backend"
  chart     = "{chart}"
  values    = [ffe_environment.this.values, yamlencode({{
    image                         = {{ tag = "{tag}" }}
    podAnnotations                = {{ point = "{point}" }}
    workers                       = 1
    preStopSleepSeconds           = 0
    terminationGracePeriodSeconds = 5
    probes                        = {{ readinessPeriodSeconds = 1, startup = {{ periodSeconds = 1 }} }}
    initContainers                = {{ waitForPostgres = {{ enabled = false }} }}
  }})]
  timeout     = "3m"
  max_history = 4
  migration = {{
    engine          = "alembic"
    database_secret = ffe_environment.this.database_secret
    timeout         = "2m"
    backup          = "{backup}"
    allow_downgrade = {goes_back}
    backup_to       = {{ storage = {{ size = "64Mi" }} }}
  }}
  verify = {{ path = "{path}", timeout = "{timeout}", stable_for = {stable_for} }}
}}
"#,
            chart = self.stage.chart().display(),
            tag = wanted.tag,
            stable_for = wanted.stable_for,
            point = wanted.point,
            goes_back = wanted.goes_back,
            backup = if wanted.backup { "always" } else { "never" },
        )
    }

    /// Asks the database.
    pub(super) fn psql(&self, query: &str) -> Result<String> {
        self.stage.kube.psql(&self.stage.name, "ffe-dev-database-0", "ffe", "ffe", query)
    }

    /// Fills the application's tables, and has the moves of the schema counted from now on.
    pub(super) fn seed(&self) -> Result<()> {
        self.psql(SEED)?;
        self.psql(COUNT).map(|_| ())
    }

    /// Takes the schema back to 0003 behind everybody's back, so that the next apply has something to migrate.
    pub(super) fn unmigrate(&self) -> Result<()> {
        self.psql(RESET).map(|_| ())
    }

    /// Forgets the moves so far.
    pub(super) fn forget_moves(&self) -> Result<()> {
        self.psql("truncate moves restart identity").map(|_| ())
    }

    /// Empties the database.
    pub(super) fn empty(&self) -> Result<()> {
        self.psql("drop schema public cascade; create schema public").map(|_| ())
    }

    /// The moves of the schema, in order.
    pub(super) fn moves(&self) -> Result<Vec<String>> {
        Ok(self.psql("select version from moves order by id")?.lines().map(str::to_owned).collect())
    }

    /// Nothing of what was in the database is lost, and the migration has happened once.
    pub(super) fn expect_rows(&self, migrated: bool) -> Result<()> {
        let counts = self.psql(
            "select (select count(*) from accounts), (select count(*) from instruments), (select count(*) from decisions), \
             (select count(*) from positions)",
        )?;
        ensure!(counts == "1|3|3|2", "rows of accounts, instruments, decisions, positions: {counts}");
        let effect = self.psql(
            "select to_regclass('feedback') is not null, count(*) from information_schema.columns \
             where table_name = 'decisions' and column_name = 'provider'",
        )?;
        let expected = if migrated { "t|1" } else { "f|0" };
        ensure!(effect == expected, "the effect of the migration is {effect}, expected {expected}");
        Ok(())
    }

    /// Neither Helm nor the cluster has anything left over.
    pub(super) fn expect_clean(&self) -> Result<()> {
        for status in ["pending-install", "pending-upgrade", "pending-rollback", "uninstalling"] {
            let records = self.stage.helm_records(status)?;
            ensure!(records.is_empty(), "Helm has records {status}: {records:?}");
        }
        let jobs = self.stage.kube.names(&self.stage.name, "jobs")?;
        ensure!(jobs.is_empty(), "Jobs are left: {jobs:?}");
        Ok(())
    }

    /// What the deployment runs: its image's tag and its point.
    pub(super) fn deployed(&self) -> Result<(String, String)> {
        let found = self.stage.kube.get(&["deployment", "-n", &self.stage.name, "ffe-backend"])?;
        let found = found.context("no deployment")?;
        let pod = &found["spec"]["template"];
        let tag =
            pod["spec"]["containers"][0]["image"].as_str().unwrap_or_default().rsplit(':').next().unwrap_or_default();
        ensure!(found["status"]["readyReplicas"] == 1, "it is not ready: {:#}", found["status"]);
        Ok((tag.to_owned(), pod["metadata"]["annotations"]["point"].as_str().unwrap_or_default().to_owned()))
    }
}
