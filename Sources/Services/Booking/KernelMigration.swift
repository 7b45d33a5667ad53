/// The tables of the three trades: where they are (location), by which rules they book (policy),
/// what a customer holds, and what a booking costs. Trades differ by rows, never by tables.
enum KernelMigration {
    static let sql = places + policies + holds + cases + contacts

    private static let places = """
        create table location (
            id uuid primary key,
            code text not null unique check (code <> ''),
            name text not null,
            address text not null default '',
            time_zone text not null check (time_zone <> ''),
            updated_at timestamptz not null default clock_timestamp()
        );

        """

    /// Times in seconds. `cancellation_tier`: who cancels at least `notice_seconds` before the
    /// start gets `refund_percent` back; the tier with the longest notice that is met counts.
    private static let policies = """
        create table cancellation_policy (
            code text primary key,
            name text not null
        );
        create table cancellation_tier (
            policy text not null references cancellation_policy,
            notice_seconds bigint not null check (notice_seconds >= 0),
            refund_percent int not null check (refund_percent between 0 and 100),
            primary key (policy, notice_seconds)
        );
        insert into cancellation_policy values
            ('standard', 'Standard'), ('flexible', 'Full refund'), ('strict', 'No refund');
        insert into cancellation_tier values
            ('standard', 0, 90), ('flexible', 0, 100), ('strict', 0, 0);
        create table policy (
            code text primary key,
            entry text not null check (entry in ('request', 'hold', 'external')),
            payment text not null
                check (payment in ('not_required', 'at_desk', 'manual', 'online')),
            cancellation text not null references cancellation_policy,
            request_seconds int not null default 259200 check (request_seconds > 0),
            hold_seconds int not null default 600 check (hold_seconds between 10 and 86400),
            hold_extensions int not null default 1 check (hold_extensions between 0 and 10),
            payment_seconds int not null default 3600 check (payment_seconds between 60 and 604800),
            notice_seconds bigint not null default 0 check (notice_seconds >= 0),
            window_seconds bigint check (window_seconds > 0),
            buffer_before_seconds int not null default 0
                check (buffer_before_seconds between 0 and 86400),
            buffer_after_seconds int not null default 0
                check (buffer_after_seconds between 0 and 86400),
            quantity_limit int not null default 10 check (quantity_limit between 1 and 1000),
            cancel_notice_seconds bigint not null default 0 check (cancel_notice_seconds >= 0),
            reschedule_notice_seconds bigint not null default 0
                check (reschedule_notice_seconds >= 0),
            reschedule_limit int not null default 3 check (reschedule_limit >= 0),
            no_show_grace_seconds int not null default 1800 check (no_show_grace_seconds >= 0),
            updated_at timestamptz not null default clock_timestamp()
        );
        insert into policy (code, entry, payment, cancellation) values
            ('school', 'request', 'manual', 'standard'),
            ('clinic', 'hold', 'online', 'standard'),
            ('field', 'external', 'not_required', 'strict');
        alter table offering
            add column location_id uuid references location,
            add column policy text not null default 'school' references policy,
            add column price bigint not null default 0 check (price >= 0),
            add column currency text not null default 'IDR' check (currency ~ '^[A-Z]{3}$');
        alter table slot add column price bigint check (price >= 0);

        """

    /// `slot.taken` counts the seats of live holds and of bookings. A hold whose time is up counts
    /// as free wherever it is asked; the token is known to the customer only.
    private static let holds = """
        create table hold (
            id uuid primary key,
            slot_id uuid not null references slot,
            quantity int not null check (quantity > 0),
            status text not null default 'pending'
                check (status in ('pending', 'confirmed', 'released', 'expired')),
            token_hash bytea not null check (length(token_hash) = 32),
            holder_key bytea not null,
            expires_at timestamptz not null,
            extensions int not null default 0,
            created_at timestamptz not null
        );
        create index hold_live on hold (slot_id, expires_at) where status = 'pending';
        create index hold_expiry on hold (expires_at) where status = 'pending';
        create index hold_holder on hold (holder_key) where status = 'pending';

        """

    /// Which payment status may stand beside which status is a table, in place of the
    /// check of the documents that forbade what they ask for. `expires_at` is when a pending
    /// request lapses, or an unpaid booking. Amounts are minor units of `currency`.
    private static let cases = """
        create table booking_state (
            status text not null,
            payment_status text not null,
            primary key (status, payment_status)
        );
        insert into booking_state values
            ('pending', 'not_required'), ('pending', 'pending'), ('pending', 'failed'),
            ('pending', 'paid'),
            ('pending_payment', 'pending'), ('pending_payment', 'failed'),
            ('confirmed', 'not_required'), ('confirmed', 'pending'), ('confirmed', 'failed'),
            ('confirmed', 'paid'), ('confirmed', 'partially_refunded'),
            ('in_progress', 'not_required'), ('in_progress', 'pending'), ('in_progress', 'paid'),
            ('in_progress', 'partially_refunded'),
            ('completed', 'not_required'), ('completed', 'pending'), ('completed', 'paid'),
            ('completed', 'partially_refunded'), ('completed', 'refunded'),
            ('no_show', 'not_required'), ('no_show', 'pending'), ('no_show', 'paid'),
            ('no_show', 'partially_refunded'), ('no_show', 'refunded'),
            ('cancelled', 'not_required'), ('cancelled', 'pending'), ('cancelled', 'failed'),
            ('cancelled', 'paid'), ('cancelled', 'partially_refunded'), ('cancelled', 'refunded'),
            ('rejected', 'not_required'), ('rejected', 'pending'), ('rejected', 'failed'),
            ('rejected', 'paid'), ('rejected', 'partially_refunded'), ('rejected', 'refunded'),
            ('expired', 'not_required'), ('expired', 'pending'), ('expired', 'failed'),
            ('expired', 'paid'), ('expired', 'partially_refunded'), ('expired', 'refunded'),
            ('rescheduled', 'not_required'), ('rescheduled', 'pending'), ('rescheduled', 'paid'),
            ('rescheduled', 'partially_refunded');
        alter table booking
            drop constraint booking_status_check,
            drop constraint booking_assignment_basis_check,
            add constraint booking_basis check (assignment_basis in
                ('first_choice', 'second_choice', 'admin_override', 'customer', 'external')),
            add column kind text not null default 'request'
                check (kind in ('request', 'appointment', 'external')),
            add column quantity int not null default 1 check (quantity > 0),
            add column hold_id uuid unique references hold,
            add column payment_status text not null default 'not_required',
            add column total bigint not null default 0 check (total >= 0),
            add column discount bigint not null default 0 check (discount between 0 and total),
            add column final_amount bigint generated always as (total - discount) stored,
            add column currency text not null default 'IDR' check (currency ~ '^[A-Z]{3}$'),
            add column policy jsonb not null default '{}',
            add column rescheduled_from uuid unique references booking,
            add column rescheduled_to uuid unique references booking,
            add column cancelled_at timestamptz,
            add column checked_in_at timestamptz,
            add column completed_at timestamptz,
            add column notes text not null default '',
            add column source text not null default 'app',
            add constraint booking_state foreign key (status, payment_status)
                references booking_state,
            add constraint booking_rescheduled
                check ((status = 'rescheduled') = (rescheduled_to is not null));
        create index booking_unpaid on booking (expires_at) where status = 'pending_payment';
        create index booking_unpaid_by_slot on booking (confirmed_slot_id, expires_at)
            where status = 'pending_payment';
        alter table booking_history add column payment_status text;

        """

    /// Whom an appointment is for; personal data stays out of `booking`.
    private static let contacts = """
        create table contact (
            booking_id uuid primary key references booking,
            full_name text not null,
            email text not null,
            phone text not null,
            subject_name text not null default '',
            subject_kind text not null default ''
        );

        """
}
