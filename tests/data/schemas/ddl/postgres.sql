-- A schema as pg_dump and people write it.
SET statement_timeout = 0;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE public.customers (
    id bigserial PRIMARY KEY,
    email character varying(255) NOT NULL,
    "Name" varchar(40) DEFAULT 'nobody''s'::character varying NOT NULL,
    balance numeric(12, 2) DEFAULT 0.00 NOT NULL,
    born date,
    seen_at timestamp with time zone DEFAULT (now() AT TIME ZONE 'utc') NOT NULL,
    tags text[] DEFAULT ARRAY['a', 'b']::text[],
    active boolean DEFAULT true,
    code char(4),
    CONSTRAINT customers_email_key UNIQUE (email),
    CHECK (balance >= 0)
);
CREATE TABLE orders (
    id integer GENERATED ALWAYS AS IDENTITY,
    customer_id bigint NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    placed timestamp without time zone,
    amount double precision,
    payload jsonb,
    total numeric GENERATED ALWAYS AS (1 + 2) STORED,
    PRIMARY KEY (id)
);
CREATE TABLE IF NOT EXISTS order_items (
    order_id integer NOT NULL,
    position smallint NOT NULL,
    sku text NOT NULL,
    PRIMARY KEY (order_id, position)
);
ALTER TABLE ONLY order_items
    ADD CONSTRAINT order_items_order_fk FOREIGN KEY (order_id) REFERENCES orders(id) ON DELETE SET NULL NOT VALID,
    ALTER COLUMN sku TYPE varchar(30) USING sku::varchar(30);
CREATE INDEX orders_by_customer ON orders USING btree (customer_id, placed DESC) INCLUDE (amount);
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_payload ON orders USING gin (payload jsonb_path_ops);
CREATE UNIQUE INDEX customers_lower ON public.customers (lower(email));
CREATE UNIQUE INDEX one_open ON orders (customer_id) WHERE placed IS NULL;
ALTER TABLE customers ADD COLUMN nick varchar(10), DROP COLUMN code, ADD UNIQUE (nick);
ALTER TABLE customers RENAME COLUMN born TO birthday;
ALTER TABLE customers ALTER active SET NOT NULL;
CREATE FUNCTION touch() RETURNS trigger AS $body$
BEGIN
    UPDATE orders SET placed = now(); RETURN NEW;
END;
$body$ LANGUAGE plpgsql;
CREATE VIEW big_orders AS SELECT o.id, o.amount AS worth FROM orders o WHERE amount > 100;
COMMENT ON TABLE orders IS 'it; has a semicolon';
CREATE TABLE scratch (id int);
DROP TABLE IF EXISTS scratch CASCADE;
