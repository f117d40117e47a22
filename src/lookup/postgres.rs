//! The statements of a look-up in PostgreSQL. Core.

use super::columns::{rfc3339, sent_rules};
use super::names::{AGENTS, CONFIGS, HERE, NUMBERS, OWN_TABLES, STATE, USERS, literal};
use super::postgres_tables::PgTables;
use super::{LookUp, trust_rows};

/// Where a statement's values come from; `None` is not asked.
struct Slots {
    /// Behind `base_number`.
    numbers: String,
    alias: Option<String>,
    user: Option<String>,
    agent: Option<String>,
}

impl PgTables {
    /// The look-up with `$1` to `$4` for [`LookUp::postgres_values`].
    pub fn statement(&self) -> String {
        let by_uuid = self.inspected.as_ref().is_none_or(|it| it.user_by_uuid);
        let slots = Slots {
            numbers: "= ANY ($1::text::int8[])".to_owned(),
            alias: Some("$2::text".to_owned()),
            user: self.can_ask_users().then(|| {
                if by_uuid {
                    "$3::text::uuid".to_owned()
                } else {
                    "$3::text".to_owned()
                }
            }),
            agent: Some("$4::text::int8".to_owned()),
        };
        let tables: Vec<&str> = OTHERS.into_iter().chain(OWN_TABLES).collect();
        // Names all values, of which some are of tables that are not there.
        format!(
            "{HERE}{} AND coalesce($1::text, $2::text, $3::text, $4::text) IS NOT NULL",
            self.look_up(&slots, self.has_agents(), &tables)
        )
    }

    /// The look-up with its values written in, for the simple protocol; with
    /// [`PgTables::HIDES_NOTHING`] set, as long as it [`PgTables::sees_all`].
    pub fn statement_of(&self, asked: &LookUp) -> String {
        let user = asked.initiated_by.filter(|_| self.has_users());
        let slots = Slots {
            numbers: format!("IN ({})", asked.base_numbers()),
            alias: asked.tenant.as_deref().map(literal),
            user: user.map(|id| format!("'{id}'")),
            agent: asked.agent.map(|id| id.to_string()),
        };
        let agents = asked.agents && self.has_agents();
        let tables = OTHERS.into_iter().chain(OWN_TABLES);
        let is_read = |table: &str| match table {
            NUMBERS | CONFIGS => true,
            USERS => slots.user.is_some(),
            AGENTS => agents,
            "lkroute_dispatches" | "lkroute_trusted_hosts" => false,
            _ => self.has_own(),
        };
        let not_read: Vec<&str> = tables.filter(|table| !is_read(table)).collect();
        self.look_up(&slots, agents, &not_read)
    }

    /// What makes a statement fail that row-level security would keep rows from.
    pub const HIDES_NOTHING: &'static str = "pg_catalog.set_config('row_security', 'off', true)";

    /// Whether no table has row-level security for this role, as far as is known.
    pub fn sees_all(&self) -> bool {
        !self.inspected.as_ref().is_some_and(|it| it.row_security)
    }

    /// `secured` are the tables that are asked for row-level security. It is no
    /// longer than it has to be, and its parts are not deep within each other:
    /// what PostgreSQL needs to plan it should stay below 128 KiB, or the server
    /// takes memory and gives it back for each call, which is half the time again.
    fn look_up(&self, slots: &Slots, agents: bool, secured: &[&str]) -> String {
        let schema = &self.quoted_schema;
        let own = self.has_own();
        let when = |there: bool, sql: String| if there { sql } else { "NULL".to_owned() };
        let asked = |slot: &Option<String>, columns: &str, table: &str, key: &str| {
            let rows = slot.as_ref().map(|value| {
                format!(
                    "(SELECT pg_catalog.json_agg(pg_catalog.json_build_array({columns}))
                       FROM {schema}.{table} WHERE {key} = {value})"
                )
            });
            rows.unwrap_or_else(|| "NULL".to_owned())
        };
        let state = when(
            own,
            format!(
                "(SELECT pg_catalog.json_build_array(environment, schema_version) FROM {schema}.{STATE})"
            ),
        );
        let regions = when(
            own,
            format!(
                "(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(name, fields))
                   FROM {schema}.lkroute_regions WHERE until IS NULL)"
            ),
        );
        let alias = asked(&slots.alias, "tenant_id, alias", "lkroute_tenants", "alias");
        let agent = asked(&slots.agent, "tenant_id::text", AGENTS, "id");
        let hidden = when(
            !self.sees_all(),
            format!(
                "(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(h.relname, h.current_user))
                   FROM ({}) h)",
                hidden_sql(&self.schema)
            ),
        );
        format!(
            "SELECT pg_catalog.json_build_array({state}, {rows}, {hidden}, {regions}, {alias}, {user},
               {agent}, {outdated})::text
             FROM {schema}.{NUMBERS} n, LATERAL (SELECT {config} AS config OFFSET 0) k
             WHERE {compared} {numbers}",
            rows = self.rows(agents),
            config = config_id("n.rules"),
            compared = self.columns.base_number_compared("n"),
            numbers = slots.numbers,
            alias = when(own, alias),
            user = asked(&slots.user, "tenant_id::text", USERS, "id"),
            agent = when(agents, agent),
            outdated = self.outdated(secured),
        )
    }

    fn can_ask_users(&self) -> bool {
        self.has_users() && !self.are_users_denied()
    }

    /// Whether this statement no longer is right: what it goes without has come.
    /// What is gone makes it fail. Row-level security of what is read can't come
    /// while it runs: its locks are taken before it looks.
    fn outdated(&self, secured: &[&str]) -> String {
        let table = |name: &str| {
            format!(
                "to_regclass({})",
                literal(&format!("{}.{name}", self.quoted_schema))
            )
        };
        let came = |name: &str| format!("{} IS NOT NULL", table(name));
        let mut signs = Vec::new();
        if !self.has_own() {
            signs.push(came(STATE));
        }
        if !self.has_users() {
            signs.push(came(USERS));
        }
        if !self.columns.has_worker_name() {
            signs.push(format!(
                "EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = {}
                   AND a.attname = 'worker_name' AND NOT a.attisdropped)",
                table(CONFIGS)
            ));
        }
        if self.sees_all() {
            let tables = secured.iter();
            signs.extend(tables.map(|name| format!("row_security_active({}::oid)", table(name))));
        }
        if signs.is_empty() {
            "NULL".to_owned()
        } else {
            signs.join(" OR ")
        }
    }

    /// The rows of the number, of every tenant, with what they name.
    fn rows(&self, agents: bool) -> String {
        let schema = &self.quoted_schema;
        let columns = &self.columns;
        let (id, tenant) = (columns.number_id("n"), columns.tenant_id("n"));
        let agent_id = columns.agent_id("n");
        let agent = if agents {
            format!("(SELECT a.tenant_id::text FROM {schema}.{AGENTS} a WHERE a.id = {agent_id})")
        } else {
            "NULL".to_owned()
        };
        let (alias, binding) = if self.has_own() {
            (
                format!(
                    "(SELECT alias FROM {schema}.lkroute_tenants t WHERE t.tenant_id = {tenant})"
                ),
                format!(
                    "(SELECT pg_catalog.json_build_array({source},
                         (SELECT fields FROM {schema}.lkroute_settings s WHERE s.id = v.settings))
                       FROM {schema}.lkroute_bindings v
                       WHERE v.number_id = {id} AND v.until IS NULL AND NOT v.retired)",
                    source = self.source(),
                ),
            )
        } else {
            ("NULL".to_owned(), "NULL".to_owned())
        };
        format!(
            "pg_catalog.json_agg(pg_catalog.json_build_array({id}, {tenant}, n.country_code::text, {base},
               n.provider::text, n.status::text, {rules}, {agent_id}, {agent}, {alias},
               {binding}, {configs}))",
            base = columns.base_number("n"),
            rules = sent_rules("n"),
            configs = self.configs(),
        )
    }

    /// The config of the id `k.config`, and its fallback, each with our version.
    fn configs(&self) -> String {
        let schema = &self.quoted_schema;
        let columns = self.columns.config_values("c");
        let row = self.columns.config_row_id("c");
        let (version, fallback) = if self.has_own() {
            (
                format!(
                    "(SELECT pg_catalog.json_build_array({}, v.fields) FROM {schema}.lkroute_configs v
                       WHERE v.id = {row} AND v.until IS NULL)",
                    self.source()
                ),
                format!(
                    ", (SELECT (v.fields::json->>'fallback')::uuid FROM {schema}.lkroute_configs v
                         WHERE v.id = k.config AND v.until IS NULL)"
                ),
            )
        } else {
            ("NULL".to_owned(), String::new())
        };
        format!(
            "(SELECT pg_catalog.json_agg(pg_catalog.json_build_array({columns}, {version}))
               FROM {schema}.{CONFIGS} c WHERE {row} IN (k.config{fallback}))"
        )
    }

    /// since, path, line and revision of a row called `v` of our tables.
    fn source(&self) -> String {
        let schema = &self.quoted_schema;
        format!(
            "v.since, (SELECT path FROM {schema}.lkroute_files f WHERE f.id = v.file), v.line,
             (SELECT revision FROM {schema}.lkroute_applies a WHERE a.id = v.since)"
        )
    }

    /// What says whom tokens may be sent to.
    pub fn trust_statement(&self) -> String {
        let prefix = format!("{}.", self.quoted_schema);
        let has = |table: &str| self.has(table);
        let at = rfc3339("t.at");
        let statement = trust_rows::statement(
            &prefix,
            &at,
            "pg_catalog.json_build_array",
            "pg_catalog.json_agg",
            &has,
        );
        format!("{HERE}{statement}")
    }
}

/// The id of the config that `rules` name, in whatever spelling of a uuid. A
/// value that is none must not fail the cast.
pub fn config_id(rules: &str) -> String {
    let value = format!("{rules}->>'livekit_config'");
    let digits = "[0-9a-f]{4}(-?[0-9a-f]{4}){7}";
    format!(
        "CASE WHEN {value} ~* '^((urn:uuid:)?{digits}|\\{{{digits}\\}})$'
           THEN (regexp_replace({value}, '^urn:uuid:', '', 'i'))::uuid END"
    )
}

/// The tables of others that are read.
const OTHERS: [&str; 4] = [CONFIGS, NUMBERS, USERS, AGENTS];

/// The statement that names the tables of which this role may not see every
/// row: row-level security is active, and not every policy that applies to
/// the role is permissive with `true`. In the transaction of a read, behind
/// it, it speaks of just that read: the locks of the read keep policies as
/// they are. Within the read's own statement too: its locks are taken before
/// it looks.
pub fn hidden_sql(schema: &str) -> String {
    let others = OTHERS.map(literal).join(", ");
    format!(
        "SELECT c.relname::text, current_user::text FROM pg_catalog.pg_class c
         WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = {schema})
           AND (c.relname IN ({others}) OR c.relname LIKE 'lkroute\\_%') AND c.relkind IN ('r', 'p')
           AND row_security_active(c.oid)
           AND NOT (
             SELECT count(*) FILTER (WHERE p.polcmd IN ('*', 'r')) > 0 AND coalesce(bool_and(
               p.polpermissive
               AND coalesce(pg_get_expr(p.polqual, p.polrelid), 'true') = 'true'
               AND coalesce(pg_get_expr(p.polwithcheck, p.polrelid), 'true') = 'true'), true)
             FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid
               AND (p.polroles = '{{0}}' OR EXISTS (
                 SELECT FROM pg_catalog.unnest(p.polroles) r WHERE pg_has_role(r, 'USAGE'))))
         ORDER BY 1",
        schema = literal(schema)
    )
}
