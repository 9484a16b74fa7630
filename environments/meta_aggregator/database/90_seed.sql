-- What production held when the sandbox begins: 200 orders over two weeks, the oldest of them with a deposit in escrow.
-- The trades are those of contracts/seed_trades.json, which the contract is seeded with; a test compares the two.
create temporary table seed_trades (
    position integer, reference text, escrow_order_id text, buyer text, seller text, amount numeric(78, 0)
);
insert into seed_trades values
    (1, 'MA-2026-0001', '0xa997301b09b94654cf485b9cdebdc5f961a65d47810d02572b8f7455cb1d2424',
        '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC', '0x976EA74026E726554dB657fA54763abd0C3a0aa9', 1500000000000000000),
    (2, 'MA-2026-0002', '0x116c947d28687d8b28dc9c32330e31ca3b6a8ea1a8e06698b792c7cb5d437b0f',
        '0x90F79bf6EB2c4f870365E785982E1f101E93b906', '0x14dC79964da2C08b23698B3D3cc7Ca32193d9955', 250000000000000000),
    (3, 'MA-2026-0003', '0x65d1c69fa4efdce5a6774f1355aa78c2687fd7ce7aa85e7f779ded08afa8cf26',
        '0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65', '0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f', 3200000000000000000),
    (4, 'MA-2026-0004', '0x3b4a3707d001427f295125288150c05e6cd3ab6c8566ee743d8fa0cb2315a4b8',
        '0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc', '0xa0Ee7A142d267C1f36714E4a8F75612F20a79720', 75000000000000000),
    (5, 'MA-2026-0005', '0xdf4bf83a6af7dc6c8bc821406932ea4cafeb0da499e33c053230247eb63e5626',
        '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC', '0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f', 12000000000000000000),
    (6, 'MA-2026-0006', '0xa5ee8f1522a8c16dcd6f6ca2ca6116f310e83b96892498e2a7820dfcf506f065',
        '0x90F79bf6EB2c4f870365E785982E1f101E93b906', '0x976EA74026E726554dB657fA54763abd0C3a0aa9', 990000000000000000);

insert into orders (idempotency_key, fingerprint, customer, sell_token, buy_token, sell_amount, fee, total, status,
                    created_at, acknowledged_at)
select 'seed-' || n,
       encode(sha256(convert_to('seed-' || n, 'UTF8')), 'hex'),
       customer, sell_token, buy_token, amount, div(amount * 15, 10000), amount + div(amount * 15, 10000),
       case when deposited or n % 9 = 0 then 'open' when n % 11 = 0 then 'cancelled' else 'filled' end,
       placed_at, placed_at + interval '40 milliseconds'
from (
    select n, t.position is not null as deposited,
           coalesce(lower(t.buyer), '0x' || left(encode(sha256(convert_to('customer-' || n % 37, 'UTF8')), 'hex'), 40))
               as customer,
           case when t.position is not null or n % 2 = 0 then 'ETH' else 'USDC' end as sell_token,
           case when t.position is not null or n % 2 = 0 then 'USDC' else 'WETH' end as buy_token,
           coalesce(t.amount, case when n % 2 = 0 then n * 25000000000000000::numeric else n * 12500000::numeric end)
               as amount,
           timestamptz '2026-01-05 08:00:00+00' + n * interval '101 minutes' as placed_at
    from generate_series(1, 200) as n left join seed_trades as t on t.position = n
) as seed
order by n;

insert into trades (reference, escrow_order_id, order_id, buyer, seller, amount, opened_at)
select t.reference, t.escrow_order_id, o.id, t.buyer, t.seller, t.amount, o.acknowledged_at + interval '2 minutes'
from seed_trades as t join orders as o on o.idempotency_key = 'seed-' || t.position
order by t.position;

insert into incidents (title, severity, started_at, resolved_at, actions) values
    ('Prices delayed: CoinGecko limited our calls', 'minor',
     '2026-01-09 10:02:00+00', '2026-01-09 10:31:00+00', 'Waited for the limit to pass; lowered the polling rate.');

drop table seed_trades;
