-- What a token was worth, a price each quarter of an hour: the API shows each order's price at the time when it was placed.
create table price_ticks (
    token text not null,
    at    timestamptz not null,
    usd   numeric(20, 8) not null constraint price_ticks_usd_positive check (usd > 0)
);

-- Without it, every order of a list reads the whole table.
create index price_ticks_token_at on price_ticks (token, at desc);
