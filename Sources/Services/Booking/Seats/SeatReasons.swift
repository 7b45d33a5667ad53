import Domain
import Environment
import Postgres
import Schema

/// Why seats cannot be had, and what is near and free: of any number of slots in one look.
struct SeatReasons: Sendable {
    private var conflicts: [UUID: [Conflict]] = [:]
    private var alternatives: [UUID: [Slot]] = [:]
    /// Slots in the way that hold something lapsed: their claims may give way (X-93).
    private(set) var lapsed: Set<UUID> = []

    /// Slots that are offered instead of one.
    static let offered = 3
    /// Slots with seats that are looked at on either side; where so many are occupied, nothing is
    /// near.
    static let searched = 100

    static let none = SeatReasons()

    private init() {}

    fileprivate init(_ lost: [Slot], _ occupied: PostgresRows, _ near: PostgresRows) throws {
        for row in occupied {
            let conflict = Conflict(
                resource: NamedResource(id: try row[1], name: try row[2], kind: try row[3]),
                startsAt: try row[4], endsAt: try row[5], slotID: try row[6],
                bookingID: try row[7], blockID: try row[8], reason: try row[9])
            conflicts[try row[0], default: []].append(conflict)
            if let slot = conflict.slotID, try row[10] as Bool { lapsed.insert(slot) }
        }
        let starts = Dictionary(
            lost.map { ($0.id, $0.startsAt) }, uniquingKeysWith: { first, _ in first })
        for row in near {
            let slot = try SlotRow.read(row)
            for id in try row["lost"] as [UUID] {
                alternatives[id, default: []].append(slot)
            }
        }
        for (id, start) in starts {
            alternatives[id]?.sort {
                (Self.distance($0, start), $0.id) < (Self.distance($1, start), $1.id)
            }
        }
    }

    private static func distance(_ slot: Slot, _ start: Instant) -> Duration {
        let distance = start.duration(to: slot.startsAt)
        return distance < .zero ? .zero - distance : distance
    }

    /// What is free near a slot, nearest first.
    func alternatives(to slot: UUID) -> [Slot] { alternatives[slot, default: []] }

    func mayGiveWay(to slot: UUID) -> Bool {
        conflicts[slot, default: []].contains { $0.slotID.map(lapsed.contains) == true }
    }

    /// The refusals, each made once.
    func errors(_ lost: [SeatLost], toStaff: Bool) -> [SeatLost.Reason: DomainError] {
        var offers: [UUID: BookingV1.Slot] = [:]
        var errors: [SeatLost.Reason: DomainError] = [:]
        for lost in lost where errors[lost.reason] == nil {
            errors[lost.reason] = error(lost, toStaff: toStaff, &offers)
        }
        return errors
    }

    func error(_ lost: SeatLost, toStaff: Bool) -> DomainError {
        var offers: [UUID: BookingV1.Slot] = [:]
        return error(lost, toStaff: toStaff, &offers)
    }

    /// Customers hear when a resource is occupied, not by whose booking, nor why it is blocked
    /// (X-53).
    private func error(
        _ lost: SeatLost, toStaff: Bool, _ offers: inout [UUID: BookingV1.Slot]
    ) -> DomainError {
        var details = BookingV1.ConflictDetails()
        if lost.code == .scheduleConflict {
            details.conflicts = conflicts[lost.slot.id, default: []]
                .map { toStaff ? BookingV1.Conflict($0) : BookingV1.Conflict(forCustomers: $0) }
        }
        details.alternatives = alternatives[lost.slot.id, default: []].map { slot in
            if let made = offers[slot.id] { return made }
            let message = BookingV1.Slot(slot)
            offers[slot.id] = message
            return message
        }
        let why =
            switch lost.code {
            case .scheduleConflict: "a resource of the slot is occupied at that time"
            case .capacityExceeded: "the slot has not so many free seats"
            default: "the slot cannot be booked"
            }
        return DomainError(lost.code, why).with(details)
    }
}

extension BookingStore {
    /// - Parameters:
    ///   - booking: its own claim is in nobody's way.
    ///   - price: of a seat of the slots that are offered instead, at most.
    func reasons(
        for lost: [SeatLost], excluding booking: UUID? = nil, upTo price: Int64? = nil
    ) async throws -> SeatReasons {
        guard !lost.isEmpty else { return .none }
        let slots = Dictionary(
            lost.map { ($0.slot.id, $0.slot) }, uniquingKeysWith: { first, _ in first })
        let occupied = Set(lost.filter { $0.code == .scheduleConflict }.map(\.slot.id)).sorted()
        let results = try await pool.atomically(
            [
                SlotRow.plannedOnce, conflicts(occupied, booking),
                alternatives(slots.keys.sorted(), upTo: price),
            ], options: TransactionOptions(isReadOnly: true))
        return try SeatReasons(Array(slots.values), results[1], results[2])
    }

    /// What `check_resource_conflicts` tells (A-20), of many slots.
    private func conflicts(_ slots: [UUID], _ booking: UUID?) -> SQL {
        """
        select w.id, r.id, r.name, r.kind, lower(c.during), upper(c.during), c.slot_id,
            (select b.id from booking b where b.confirmed_slot_id = c.slot_id
                and b.status in ('confirmed', 'pending_payment', 'in_progress')
                order by b.confirmed_at limit 1),
            c.block_id, coalesce(k.reason, ''),
            coalesce((select \(SlotRow.lapsed) > 0 from slot s where s.id = c.slot_id), false)
        from slot w join slot_resource x on x.slot_id = w.id
        join resource r on r.id = x.resource_id
        cross join lateral (select c.during, c.slot_id, c.block_id from claim c
            where c.resource_id = x.resource_id and c.during && w.occupies
              and c.slot_id is distinct from w.id offset 0) c
        left join block k on k.id = c.block_id
        where w.id = any(\(slots)) and not exists (select from booking b
            where b.id = \(nullable: booking) and b.confirmed_slot_id = c.slot_id)
        order by w.id, lower(c.during), r.kind, r.name
        """
    }

    /// Free slots of the same offering, nearest in time first, each with the slots that it is near
    /// to. The time of the statement, not the clock's: an index can be searched by it.
    private func alternatives(_ slots: [UUID], upTo price: Int64?) -> SQL {
        let cheap: SQL =
            price.map { "and coalesce(s.price, o.price) <= \($0)::bigint" } ?? ""
        return """
            with near as materialized (
                select w.id as lost, n.id
                from slot w join offering o on o.id = w.offering_id join policy p on p.code = o.policy
                cross join lateral (
                    select t.id from (
                        \(near("s.starts_at > w.starts_at \(cheap)", "s.starts_at"))
                        union all
                        \(near(
                        "s.starts_at <= w.starts_at and s.id <> w.id \(cheap)",
                        "s.starts_at desc"))) t
                    order by abs(extract(epoch from t.starts_at - w.starts_at)), t.id
                    limit \(SeatReasons.offered)::int) n
                where w.id = any(\(slots)))
            select \(SlotRow.columns), n.lost
            from (select id, array_agg(lost) as lost from near group by id) n
            join slot s on s.id = n.id \(SlotRow.joins)
            """
    }

    /// On one side of the slot `w`, among the first that have seats and can be booked now by the
    /// policy `p`.
    private func near(_ side: SQL, _ order: SQL) -> SQL {
        """
        (select s.id, s.starts_at from (
            select s.id, s.starts_at, s.occupies from slot s
            where s.offering_id = w.offering_id and s.is_open and \(side)
              and s.starts_at > statement_timestamp()
              and s.starts_at >= statement_timestamp() + make_interval(secs => p.notice_seconds)
              and s.starts_at <= coalesce(
                statement_timestamp() + make_interval(secs => p.window_seconds), 'infinity')
            order by \(order) limit \(SeatReasons.searched)::int) s
         where \(SlotRow.isFree) order by \(order) limit \(SeatReasons.offered)::int)
        """
    }
}
