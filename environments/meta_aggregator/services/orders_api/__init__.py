"""The orders API: takes customers' orders, keeps them in Postgres, and knows the escrow that holds their deposits."""
