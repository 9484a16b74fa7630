-- What was ever entered, one line for each row of orders, trades and incidents: a seal over the columns that never
-- change. Rows are never deleted in peace, so a row that the ledger has and its table lacks was lost, and a row whose
-- seal differs was altered. Entering the same row again (a row put back from a backup) changes nothing here.
create table ledger (
    table_name text not null,
    row_id     bigint not null,
    seal       text not null,
    entered_at timestamptz not null default clock_timestamp(),
    constraint ledger_pkey primary key (table_name, row_id)
);

create function row_seal(entry jsonb) returns text
    language sql immutable
    return encode(
        sha256(convert_to((entry - array['status', 'closed_at', 'resolved_at', 'actions'])::text, 'UTF8')), 'hex');

-- The time zone is fixed because to_jsonb() writes timestamps in the session's.
create function enter_in_ledger() returns trigger
    language plpgsql
    set timezone = 'UTC'
    set search_path = pg_catalog, public
as $$
begin
    insert into public.ledger (table_name, row_id, seal)
        values (tg_table_name, new.id, public.row_seal(to_jsonb(new)))
        on conflict do nothing;
    return null;
end
$$;

create trigger orders_ledger after insert on orders for each row execute function enter_in_ledger();
create trigger trades_ledger after insert on trades for each row execute function enter_in_ledger();
create trigger incidents_ledger after insert on incidents for each row execute function enter_in_ledger();
