/// A proof may come with a request, before there is a charge: then the booking has it.
enum ProofMigration {
    static let sql = """
        alter table payment_proof
            add column booking_id uuid references booking on delete restrict;
        create index payment_proof_by_booking on payment_proof (booking_id)
            where booking_id is not null;
        drop index payment_proof_unclaimed;
        create index payment_proof_unclaimed on payment_proof (created_at)
            where payment_id is null and booking_id is null;
        update payment_proof f set booking_id = p.booking_id
            from payment_record p where p.id = f.payment_id;

        """
}
