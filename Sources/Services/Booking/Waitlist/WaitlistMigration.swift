/// Who waits for a full slot, and the holds that are offered to them.
enum WaitlistMigration {
    static let sql = terms + entries + offers

    /// `offer_seconds`: how long freed seats are kept for the first in line. `waitlist_limit`: who
    /// may wait for one slot; 0 is no line.
    private static let terms = """
        alter table policy
            add column offer_seconds int not null default 1200
                check (offer_seconds between 60 and 86400),
            add column waitlist_limit int not null default 50
                check (waitlist_limit between 0 and 1000);

        """

    /// Entries change only under the lock of their slot, so `position` is the order of the line.
    /// Personal data is kept apart, as long as the entry lives.
    private static let entries = """
        create table waitlist_entry (
            id uuid primary key,
            slot_id uuid not null references slot,
            applicant_key bytea not null,
            quantity int not null check (quantity > 0),
            status text not null default 'waiting' check (status in
                ('waiting', 'offered', 'claimed', 'lapsed', 'left', 'ended')),
            token_hash bytea not null check (length(token_hash) = 32),
            position bigint not null generated always as identity,
            version bigint not null default 1,
            joined_at timestamptz not null,
            changed_at timestamptz not null
        );
        create index waitlist_line on waitlist_entry (slot_id, position) where status = 'waiting';
        create unique index waitlist_one_entry on waitlist_entry (slot_id, applicant_key)
            where status in ('waiting', 'offered');
        create index waitlist_by_applicant on waitlist_entry (applicant_key)
            where status in ('waiting', 'offered');
        create table waitlist_contact (
            entry_id uuid primary key references waitlist_entry,
            full_name text not null,
            email text not null
        );
        create table waitlist_history (
            entry_id uuid not null references waitlist_entry,
            version bigint not null,
            at timestamptz not null,
            action text not null,
            actor text not null,
            primary key (entry_id, version)
        );

        """

    /// An offer is a hold of the entry's. Its `token_hash` is of no token until it is claimed.
    /// `slot.waiting`: the seats of the smallest party in line, null without a line: whether a free
    /// seat is the line's or everybody's is seen in the slot's own row.
    private static let offers = """
        alter table hold add column entry_id uuid references waitlist_entry;
        create unique index hold_of_entry on hold (entry_id) where entry_id is not null;
        alter table slot add column waiting int check (waiting > 0);
        create index slot_with_line on slot (starts_at) where waiting is not null;
        create index slot_full_by_offering on slot (offering_id, starts_at, id)
            where status = 'available' and not is_open;

        """
}
