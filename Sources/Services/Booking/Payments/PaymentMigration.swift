/// Charges and refunds. No sum is stored: `payment_ledger` and `payment_balance` derive them
/// . What a provider reported is kept as a digest, never as the text, which may name people.
enum PaymentMigration {
    static let sql = records + refunds + events + proofs + views

    /// A status of a charge never goes back: pending, then failed or expired, then completed, since
    /// money that comes late is still money. At most one charge of a booking is open.
    private static let records = """
        create table payment_provider (
            code text primary key,
            name text not null
        );
        insert into payment_provider values
            ('manual', 'Proof of payment'), ('midtrans', 'Midtrans'), ('xendit', 'Xendit'),
            ('system', 'System');
        create table payment_record (
            id uuid primary key,
            booking_id uuid not null references booking on delete restrict,
            provider text not null references payment_provider,
            provider_payment_id text check (provider_payment_id <> ''),
            method text not null default '',
            amount bigint not null check (amount > 0),
            currency text not null check (currency ~ '^[A-Z]{3}$'),
            status text not null default 'pending'
                check (status in ('pending', 'completed', 'failed', 'expired')),
            payment_url text,
            expires_at timestamptz not null,
            paid_at timestamptz,
            fee bigint not null default 0 check (fee >= 0),
            failure text not null default '',
            metadata jsonb not null default '{}',
            created_at timestamptz not null,
            updated_at timestamptz not null,
            next_question_at timestamptz,
            questions int not null default 0,
            version bigint not null default 1,
            unique (provider, provider_payment_id),
            check ((status = 'completed') = (paid_at is not null))
        );
        create index payment_by_booking on payment_record (booking_id);
        create unique index payment_one_open on payment_record (booking_id)
            where status = 'pending';
        create index payment_question on payment_record (next_question_at)
            where next_question_at is not null;
        create function payment_only_forward() returns trigger language plpgsql as $$
            declare rank constant jsonb :=
                '{"pending": 0, "failed": 1, "expired": 1, "completed": 2}';
            begin
                if (rank -> new.status)::int < (rank -> old.status)::int
                    or new.amount <> old.amount or new.currency <> old.currency
                    or new.booking_id <> old.booking_id then
                    raise exception 'a payment does not go back' using errcode = '23514';
                end if;
                return new;
            end $$;
        create trigger payment_only_forward before update on payment_record
            for each row execute function payment_only_forward();

        """

    /// No more goes back than came: checked with the charge's row locked.
    private static let refunds = """
        create table refund (
            id uuid primary key,
            payment_id uuid not null references payment_record on delete restrict,
            amount bigint not null check (amount > 0),
            reason text not null,
            actor text not null,
            status text not null default 'requested'
                check (status in ('requested', 'completed', 'failed')),
            provider_refund_id text,
            idempotency_key text not null check (idempotency_key <> ''),
            failure text not null default '',
            requested_at timestamptz not null,
            completed_at timestamptz,
            next_attempt_at timestamptz,
            attempts int not null default 0,
            unique (payment_id, idempotency_key),
            check ((status = 'completed') = (completed_at is not null))
        );
        create index refund_attempt on refund (next_attempt_at)
            where next_attempt_at is not null;
        create index refund_requested on refund (requested_at) where status = 'requested';
        create function refund_within_charge() returns trigger language plpgsql as $$
            declare charged bigint; back bigint;
            begin
                select amount into charged from payment_record
                    where id = new.payment_id and status = 'completed' for update;
                select coalesce(sum(amount), 0) into back from refund
                    where payment_id = new.payment_id and status <> 'failed' and id <> new.id;
                if charged is null or (new.status <> 'failed' and back + new.amount > charged) then
                    raise exception 'more goes back than came' using errcode = '23514';
                end if;
                return new;
            end $$;
        create trigger refund_within_charge before insert or update on refund
            for each row execute function refund_within_charge();

        """

    /// Authentic callbacks by the digest of their bytes; a forged one is counted, not stored, so
    /// that nobody can fill the table.
    private static let events = """
        create table payment_event (
            id bigint generated always as identity primary key,
            provider text not null references payment_provider,
            digest bytea not null check (length(digest) = 32),
            payment_id uuid references payment_record,
            said text not null,
            outcome text not null,
            times int not null default 1,
            received_at timestamptz not null,
            last_received_at timestamptz not null,
            unique (provider, digest)
        );
        create index payment_event_by_payment on payment_event (payment_id);
        create index payment_event_age on payment_event (received_at);

        """

    private static let proofs = """
        create table payment_proof (
            id uuid primary key,
            payment_id uuid unique references payment_record,
            content_type text not null
                check (content_type in
                    ('image/jpeg', 'image/png', 'image/webp', 'application/pdf')),
            size int not null check (size between 1 and 5242880),
            digest bytea not null check (length(digest) = 32),
            content bytea not null check (length(content) = size),
            created_at timestamptz not null
        );
        create index payment_proof_unclaimed on payment_proof (created_at)
            where payment_id is null;

        """

    private static let views = """
        create view payment_ledger as
            select booking_id, id as payment_id, null::uuid as refund_id, 'charge' as kind,
                amount, currency, provider, paid_at as at
            from payment_record where status = 'completed'
            union all
            select p.booking_id, p.id, r.id, 'refund', -r.amount, p.currency, p.provider,
                r.completed_at
            from refund r join payment_record p on p.id = r.payment_id
            where r.status = 'completed';
        create view payment_balance as
            select b.id as booking_id, b.currency,
                coalesce((select sum(p.amount) from payment_record p
                    where p.booking_id = b.id and p.status = 'completed'), 0)::bigint as charged,
                coalesce((select sum(r.amount) from refund r
                    join payment_record p on p.id = r.payment_id
                    where p.booking_id = b.id and r.status = 'completed'), 0)::bigint as refunded,
                coalesce((select sum(r.amount) from refund r
                    join payment_record p on p.id = r.payment_id
                    where p.booking_id = b.id and r.status = 'requested'), 0)::bigint as due
            from booking b;

        """
}
