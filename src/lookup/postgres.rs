//! The statements of PostgreSQL. Core.

use std::collections::BTreeSet;

use super::columns::{Columns, rfc3339, rules_text};
use super::json_row::{JsonRow, read_document};
use super::names::{AGENTS, CONFIGS, HERE, NUMBERS, STATE, USERS, literal, quoted};
use super::{LookUp, trust_rows};

/// The tables of a schema, as far as a look-up needs to know them.
#[derive(Debug, Clone)]
pub struct PgTables {
    /// As given, and in quotes.
    schema: String,
    q: String,
    columns: Columns,
    /// What is there; until that was looked at, all of it.
    inspected: Option<Inspected>,
}

#[derive(Debug, Clone, Default)]
struct Inspected {
    tables: BTreeSet<String>,
    /// Tables with the columns that a look-up reads, which this role may.
    readable: BTreeSet<String>,
    /// The type of `users.id` is uuid.
    user_by_uuid: bool,
}

/// The statement that looks at the tables of a schema; a catalogue that
/// everybody may read. A domain is as its base type.
pub fn inspection(schema: &str) -> String {
    let schema = literal(schema);
    format!(
        "{HERE}SELECT pg_catalog.json_build_array(
           (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(c.relname::text,
                (SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid
                   AND a.attname IN ('id', 'tenant_id') AND NOT a.attisdropped) = 2
                AND has_table_privilege(c.oid, 'SELECT'))), '[]'::json)
              FROM pg_catalog.pg_class c
              WHERE c.relnamespace = s.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                AND (c.relname IN ('{USERS}', '{AGENTS}', '{CONFIGS}', '{NUMBERS}')
                  OR c.relname LIKE 'lkroute\\_%')),
           (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(c.relname::text, a.attname::text,
                coalesce(b.typname, t.typname)::text, coalesce(b.typtype, t.typtype)::text,
                quote_ident(n.nspname) || '.' || quote_ident(t.typname),
                format_type(a.atttypid, a.atttypmod), a.attgenerated <> '',
                (SELECT string_agg(e.enumlabel, E'\\n' ORDER BY e.enumsortorder)
                   FROM pg_catalog.pg_enum e WHERE e.enumtypid = coalesce(b.oid, t.oid)))),
                '[]'::json)
              FROM pg_catalog.pg_attribute a
                JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
                JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
                JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
                LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype AND t.typtype = 'd'
              WHERE c.relnamespace = s.oid AND c.relname IN ('{NUMBERS}', '{CONFIGS}', '{USERS}')
                AND a.attnum > 0 AND NOT a.attisdropped))::text
         FROM (SELECT (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = {schema})) s (oid)"
    )
}

/// Which tables of people are asked.
#[derive(Debug, Clone, Copy)]
struct People {
    users: bool,
    agents: bool,
}

/// Where a statement's values come from.
struct Slots {
    /// Behind `base_number`.
    numbers: String,
    alias: String,
    user: String,
    agent: String,
}

impl PgTables {
    /// Before anything was looked at: all tables are taken to be there, with
    /// the columns that lkroute's own migrations make.
    pub fn assumed(schema: &str) -> PgTables {
        PgTables {
            schema: schema.to_owned(),
            q: quoted(schema),
            columns: Columns::default(),
            inspected: None,
        }
    }

    /// What [`inspection`] gave.
    ///
    /// # Errors
    /// It is something else.
    pub fn read(schema: &str, text: &str) -> Result<PgTables, String> {
        let document = read_document(text)?;
        let parts = JsonRow::read(&document)?;
        let mut found = PgTables::assumed(schema);
        let mut inspected = Inspected::default();
        for table in JsonRow::read_all(parts.cell(0)?.ok_or("no tables")?)? {
            let table = table?;
            let name = table.some_text(0)?.to_owned();
            if table.flag(1)? {
                inspected.readable.insert(name.clone());
            }
            inspected.tables.insert(name);
        }
        for column in JsonRow::read_all(parts.cell(1)?.ok_or("no columns")?)? {
            let column = column?;
            found.columns.add(&column)?;
            let is = |ix, text: &str| column.text(ix).map(|found| found == Some(text));
            inspected.user_by_uuid |= is(0, USERS)? && is(1, "id")? && is(2, "uuid")?;
        }
        found.inspected = Some(inspected);
        Ok(found)
    }

    pub fn is_inspected(&self) -> bool {
        self.inspected.is_some()
    }

    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    pub fn schema(&self) -> &str {
        &self.schema
    }

    pub fn has(&self, table: &str) -> bool {
        let there = |inspected: &Inspected| inspected.tables.contains(table);
        self.inspected.as_ref().is_none_or(there)
    }

    pub fn has_own(&self) -> bool {
        self.has(STATE)
    }

    /// Whether there is a table of users, readable or not.
    pub fn has_users(&self) -> bool {
        self.has(USERS)
    }

    /// Whether this role may not read the users that there are, or they have
    /// other columns.
    pub fn are_users_denied(&self) -> bool {
        let denied = |it: &Inspected| it.tables.contains(USERS) && !it.readable.contains(USERS);
        self.inspected.as_ref().is_some_and(denied)
    }

    fn has_agents(&self) -> bool {
        let readable = |inspected: &Inspected| inspected.readable.contains(AGENTS);
        self.inspected.as_ref().is_none_or(readable)
    }

    /// The look-up with `$1` to `$4` for [`LookUp::postgres_values`].
    pub fn statement(&self) -> String {
        let by_uuid = self.inspected.as_ref().is_none_or(|it| it.user_by_uuid);
        let slots = Slots {
            numbers: "= ANY ($1::text::int8[])".to_owned(),
            alias: "$2::text".to_owned(),
            user: match by_uuid {
                true => "$3::text::uuid".to_owned(),
                false => "$3::text".to_owned(),
            },
            agent: "$4::text::int8".to_owned(),
        };
        let people = People {
            users: self.has_users() && !self.are_users_denied(),
            agents: self.has_agents(),
        };
        // Names all values, of which some are of tables that are not there.
        format!(
            "{HERE}{} WHERE coalesce($1::text, $2::text, $3::text, $4::text) IS NOT NULL",
            self.look_up(&slots, people)
        )
    }

    /// The look-up with its values written in, for the simple protocol.
    pub fn statement_of(&self, asked: &LookUp) -> String {
        let null = || "NULL".to_owned();
        let slots = Slots {
            numbers: format!("IN ({})", asked.base_numbers()),
            alias: asked.tenant.as_deref().map_or_else(null, literal),
            user: asked.initiated_by.map_or_else(null, |id| format!("'{id}'")),
            agent: asked.agent.map_or_else(null, |id| id.to_string()),
        };
        let people = People {
            users: asked.initiated_by.is_some() && self.has_users(),
            agents: asked.agents && self.has_agents(),
        };
        self.look_up(&slots, people)
    }

    fn look_up(&self, slots: &Slots, people: People) -> String {
        let q = &self.q;
        let own = self.has_own();
        let none = || "NULL::json".to_owned();
        let state = match own {
            true => {
                format!(
                    "(SELECT pg_catalog.json_build_array(environment, schema_version) FROM {q}.{STATE})"
                )
            }
            false => none(),
        };
        let regions = match own {
            true => format!(
                "(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(name, fields))
                  FROM {q}.lkroute_regions WHERE until IS NULL)"
            ),
            false => none(),
        };
        let alias = match own {
            true => format!(
                "(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(tenant_id, alias))
                  FROM {q}.lkroute_tenants WHERE alias = {})",
                slots.alias
            ),
            false => none(),
        };
        let user = match people.users {
            true => format!(
                "(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(tenant_id::text))
                  FROM {q}.{USERS} WHERE id = {})",
                slots.user
            ),
            false => none(),
        };
        let agent = match people.agents {
            true => format!(
                "(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(tenant_id::text))
                  FROM {q}.{AGENTS} WHERE id = {})",
                slots.agent
            ),
            false => none(),
        };
        format!(
            "SELECT pg_catalog.json_build_array({state}, {rows},
               (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(h.relname, h.current_user)) FROM ({hidden}) h),
               {regions}, {alias}, {user}, {agent},
               {shape})::text",
            rows = self.rows(slots, people.agents),
            hidden = hidden_sql(&self.schema),
            shape = self.shape_now(),
        )
    }

    /// What of [`PgTables::shape`] is so now. A statement says nothing of what came
    /// since the tables were looked at, and would go on without it.
    fn shape_now(&self) -> String {
        let table = |name: &str| literal(&format!("{}.{name}", self.q));
        format!(
            "pg_catalog.json_build_array(to_regclass({state}) IS NOT NULL,
               to_regclass({users}) IS NOT NULL,
               EXISTS (SELECT FROM pg_catalog.pg_attribute a
                 WHERE a.attrelid = to_regclass({configs}) AND a.attname = 'worker_name'
                   AND NOT a.attisdropped))",
            state = table(STATE),
            users = table(USERS),
            configs = table(CONFIGS),
        )
    }

    /// Whether there are lkroute's own tables, a table of users, and the column
    /// of configs that came later.
    pub fn shape(&self) -> [bool; 3] {
        let worker_name = self.columns.has_worker_name();
        [self.has_own(), self.has_users(), worker_name]
    }

    /// The rows of the number, of every tenant, with what they name.
    fn rows(&self, slots: &Slots, agents: bool) -> String {
        let q = &self.q;
        let columns = &self.columns;
        let config = config_id("n.rules");
        let (id, tenant) = (columns.number_id("n"), columns.tenant_id("n"));
        let agent_id = columns.agent_id("n");
        let agent = match agents {
            true => {
                format!("(SELECT a.tenant_id::text FROM {q}.{AGENTS} a WHERE a.id = {agent_id})")
            }
            false => "NULL::text".to_owned(),
        };
        let config_columns = columns.of_configs("c", true);
        let row = columns.config_row_id("c");
        let (alias, binding, version, fallback) = match self.has_own() {
            false => (
                "NULL::text".to_owned(),
                "NULL".to_owned(),
                "NULL".to_owned(),
                "NULL".to_owned(),
            ),
            true => {
                let source = self.source();
                (
                    format!(
                        "(SELECT alias FROM {q}.lkroute_tenants t WHERE t.tenant_id = {tenant})"
                    ),
                    format!(
                        "(SELECT pg_catalog.json_build_array({source},
                             (SELECT fields FROM {q}.lkroute_settings s WHERE s.id = v.settings))
                           FROM {q}.lkroute_bindings v
                           WHERE v.number_id = {id} AND v.until IS NULL AND NOT v.retired)"
                    ),
                    format!(
                        "(SELECT pg_catalog.json_build_array({source}, v.fields) FROM {q}.lkroute_configs v
                           WHERE v.id = {config} AND v.until IS NULL)"
                    ),
                    format!(
                        "(SELECT pg_catalog.json_build_array(
                             (SELECT pg_catalog.json_build_array({config_columns})
                                FROM {q}.{CONFIGS} c WHERE {row} = f.id),
                             (SELECT pg_catalog.json_build_array({source}, v.fields)
                                FROM {q}.lkroute_configs v WHERE v.id = f.id AND v.until IS NULL))
                           FROM (SELECT (v.fields::json->>'fallback')::uuid AS id
                                   FROM {q}.lkroute_configs v
                                   WHERE v.id = {config} AND v.until IS NULL) f
                           WHERE f.id IS NOT NULL)"
                    ),
                )
            }
        };
        format!(
            "(SELECT pg_catalog.json_agg(pg_catalog.json_build_array({id}, {tenant}, n.country_code::text, {base},
                n.provider::text, n.status::text, {rules}, {agent_id}, {agent}, {alias},
                {binding},
                (SELECT pg_catalog.json_build_array({config_columns})
                   FROM {q}.{CONFIGS} c WHERE {row} = {config}), {version}, {fallback}))
              FROM {q}.{NUMBERS} n WHERE {compared} {numbers})",
            base = columns.base_number("n"),
            compared = columns.base_number_compared("n"),
            numbers = slots.numbers,
            rules = rules_text("n"),
        )
    }

    /// since, path, line and revision of a row called `v` of our tables.
    fn source(&self) -> String {
        let q = &self.q;
        format!(
            "v.since, (SELECT path FROM {q}.lkroute_files f WHERE f.id = v.file), v.line,
             (SELECT revision FROM {q}.lkroute_applies a WHERE a.id = v.since)"
        )
    }

    /// What says whom tokens may be sent to.
    pub fn trust_statement(&self) -> String {
        let q = format!("{}.", self.q);
        let has = |table: &str| self.has(table);
        let at = rfc3339("t.at");
        let statement = trust_rows::statement(
            &q,
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
