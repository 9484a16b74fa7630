-- The prices of the seed's two weeks and of what came before them: 12,000 a token, one each quarter of an hour.
insert into price_ticks (token, at, usd)
select token, timestamptz '2026-01-20 00:00:00+00' - n * interval '15 minutes', usd * (1 + 0.02 * sin(n / 40.0))::numeric
from (values ('ETH', 3000.0), ('WETH', 3000.0), ('USDC', 1.0), ('USDT', 1.0), ('DAI', 1.0)) as price (token, usd),
     generate_series(1, 12000) as n;

analyze price_ticks;
