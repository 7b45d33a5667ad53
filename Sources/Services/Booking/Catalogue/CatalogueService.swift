import Domain
public import Environment
public import Postgres
import Protobuf
public import RPC
public import Schema

/// The RPCs of `janji.booking.v1.Catalogue`.
public struct CatalogueService: BookingV1.CatalogueService {
    private let locations: LocationStore
    private let policies: PolicyStore
    private let resources: ResourceStore
    private let blocks: BlockDesk
    private let slots: SlotDesk
    private let pool: PostgresPool
    private let clock: Clock
    private let committed: @Sendable () -> Void

    static let longestBlock = Duration.seconds(366 * 24 * 3600)
    static let calendarDays = 31

    /// - Parameter committed: called after every commit with events: wakes the outbox relay.
    public init(pool: PostgresPool, clock: Clock, committed: @escaping @Sendable () -> Void) {
        self.pool = pool
        locations = LocationStore(pool: pool)
        policies = PolicyStore(pool: pool)
        resources = ResourceStore(pool: pool)
        blocks = BlockDesk(pool: pool, clock: clock)
        slots = SlotDesk(pool: pool, clock: clock)
        self.clock = clock
        self.committed = committed
    }

    // MARK: Locations

    public func listLocations(
        _ request: BookingV1.ListLocationsRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListLocationsResponse {
        var response = BookingV1.ListLocationsResponse()
        response.locations = try await DomainError.mapping { try await locations.list() }
            .map { BookingV1.Location($0) }
        return response
    }

    public func getLocation(
        _ request: BookingV1.GetLocationRequest, _ context: ServerContext
    ) async throws -> BookingV1.GetLocationResponse {
        var rules = FieldRules()
        rules.text(request.locationId, "location_id", limit: 40)
        try rules.check()
        let found = try await DomainError.mapping { try await locations.find(request.locationId) }
        guard let found else { throw DomainError(.locationNotFound, "there is no such location") }
        var response = BookingV1.GetLocationResponse()
        response.location = BookingV1.Location(found)
        return response
    }

    public func saveLocation(
        _ request: BookingV1.SaveLocationRequest, _ context: ServerContext
    ) async throws -> BookingV1.SaveLocationResponse {
        var rules = FieldRules()
        let id = rules.uuid(request.id, "id")
        rules.text(request.code, "code", limit: 32)
        if UUID(request.code) != nil { rules.refuse("code", "is a UUID") }
        rules.text(request.name, "name", limit: 200)
        rules.text(request.address, "address", limit: 1000, required: false)
        rules.text(request.timeZone, "time_zone", limit: 64)
        guard rules.areKept, let id else { throw rules.refusal }
        let location = Location(
            id: id, code: request.code, name: request.name, address: request.address,
            timeZone: request.timeZone)
        return try await perform(request.idempotencyKey, request, context) { transaction, _ in
            try await locations.save(location, transaction)
            var response = BookingV1.SaveLocationResponse()
            response.location = BookingV1.Location(location)
            return response
        }
    }

    public func deleteLocation(
        _ request: BookingV1.DeleteLocationRequest, _ context: ServerContext
    ) async throws -> BookingV1.DeleteLocationResponse {
        let id = try FieldRules.uuid(request.locationId, only: "location_id")
        return try await perform(request.idempotencyKey, request, context) { transaction, _ in
            try await locations.delete(id, transaction)
            return BookingV1.DeleteLocationResponse()
        }
    }

    // MARK: Policies

    public func listPolicies(
        _ request: BookingV1.ListPoliciesRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListPoliciesResponse {
        try await DomainError.mapping { try await policies.list() }
    }

    public func savePolicy(
        _ request: BookingV1.SavePolicyRequest, _ context: ServerContext
    ) async throws -> BookingV1.SavePolicyResponse {
        let policy = try PolicyRules.policy(request.policy ?? BookingV1.Policy())
        return try await perform(request.idempotencyKey, request, context) { transaction, _ in
            try await policies.save(policy, transaction)
            var response = BookingV1.SavePolicyResponse()
            response.policy = policy
            return response
        }
    }

    public func deletePolicy(
        _ request: BookingV1.DeletePolicyRequest, _ context: ServerContext
    ) async throws -> BookingV1.DeletePolicyResponse {
        var rules = FieldRules()
        rules.text(request.code, "code", limit: 40)
        try rules.check()
        return try await perform(request.idempotencyKey, request, context) { transaction, _ in
            try await policies.delete(request.code, transaction)
            return BookingV1.DeletePolicyResponse()
        }
    }

    public func saveCancellationPolicy(
        _ request: BookingV1.SaveCancellationPolicyRequest, _ context: ServerContext
    ) async throws -> BookingV1.SaveCancellationPolicyResponse {
        let policy = request.policy ?? BookingV1.CancellationPolicy()
        try PolicyRules.check(policy)
        return try await perform(request.idempotencyKey, request, context) { transaction, _ in
            try await policies.save(policy, transaction)
            var response = BookingV1.SaveCancellationPolicyResponse()
            response.policy = policy
            return response
        }
    }

    // MARK: Resources

    public func listResources(
        _ request: BookingV1.ListResourcesRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListResourcesResponse {
        var rules = FieldRules()
        rules.text(request.kind, "kind", limit: 32, required: false)
        let location = rules.optionalUUID(request.locationId.nonEmpty, "location_id")
        try rules.check()
        var response = BookingV1.ListResourcesResponse()
        response.resources = try await DomainError.mapping {
            try await resources.list(kind: request.kind.nonEmpty, location: location)
        }.map { BookingV1.Resource($0) }
        return response
    }

    public func saveResource(
        _ request: BookingV1.SaveResourceRequest, _ context: ServerContext
    ) async throws -> BookingV1.SaveResourceResponse {
        let message = request.resource ?? BookingV1.Resource()
        var rules = FieldRules()
        let id = rules.uuid(message.id, "resource.id")
        rules.text(message.name, "resource.name", limit: 200)
        if !ResourceKind.isKind(message.kind) {
            rules.refuse("resource.kind", "is not a word in lower case")
        }
        let location = rules.optionalUUID(message.locationId, "resource.location_id")
        if !(0...10_000).contains(message.capacity) {
            rules.refuse("resource.capacity", "is not between 0 and 10000")
        }
        guard rules.areKept, let id else { throw rules.refusal }
        let resource = Resource(
            id: id, name: message.name, kind: message.kind, locationID: location,
            capacity: message.capacity == 0 ? nil : Int(message.capacity))
        return try await perform(request.idempotencyKey, request, context) { transaction, _ in
            try await resources.save(resource, transaction)
            var response = BookingV1.SaveResourceResponse()
            response.resource = BookingV1.Resource(resource)
            return response
        }
    }

    public func deleteResource(
        _ request: BookingV1.DeleteResourceRequest, _ context: ServerContext
    ) async throws -> BookingV1.DeleteResourceResponse {
        let id = try FieldRules.uuid(request.resourceId, only: "resource_id")
        return try await perform(request.idempotencyKey, request, context) { transaction, _ in
            try await resources.delete(id, transaction)
            return BookingV1.DeleteResourceResponse()
        }
    }

    // MARK: Blocks

    public func blockResource(
        _ request: BookingV1.BlockResourceRequest, _ context: ServerContext
    ) async throws -> BookingV1.BlockResourceResponse {
        var rules = FieldRules()
        let id = rules.optionalUUID(request.id, "id")
        let resource = rules.uuid(request.resourceId, "resource_id")
        if request.startTime == nil { rules.refuse("start_time", "is required") }
        if request.endTime == nil { rules.refuse("end_time", "is required") }
        let start = rules.instant(request.startTime, "start_time")
        let end = rules.instant(request.endTime, "end_time")
        if let start, let end {
            if end <= start { rules.refuse("end_time", "is not after the start") }
            if start.duration(to: end) > Self.longestBlock {
                rules.refuse("end_time", "is more than 366 days after the start")
            }
        }
        rules.text(request.reason, "reason", limit: 500)
        guard rules.areKept, let resource, let start, let end else { throw rules.refusal }
        let block = Block(
            id: id ?? .timeOrdered(clock.now()),
            resource: NamedResource(id: resource, name: ""), startsAt: start, endsAt: end,
            reason: request.reason, createdBy: context.principal.actor)
        let use = try use(request.idempotencyKey, request, context)
        let response = try await DomainError.mapping { try await blocks.block(block, use) }
        committed()
        return response
    }

    public func unblockResource(
        _ request: BookingV1.UnblockResourceRequest, _ context: ServerContext
    ) async throws -> BookingV1.UnblockResourceResponse {
        let id = try FieldRules.uuid(request.blockId, only: "block_id")
        let use = try use(request.idempotencyKey, request, context)
        let response = try await DomainError.mapping {
            try await blocks.unblock(id, by: context.principal.actor, use)
        }
        committed()
        return response
    }

    public func listBlocks(
        _ request: BookingV1.ListBlocksRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListBlocksResponse {
        var rules = FieldRules()
        let resource = rules.uuid(request.resourceId, "resource_id")
        let from = rules.instant(request.from, "from") ?? clock.now()
        let to = rules.instant(request.to, "to")
        guard rules.areKept, let resource else { throw rules.refusal }
        var response = BookingV1.ListBlocksResponse()
        response.blocks = try await DomainError.mapping {
            try await blocks.list(resource, from: from, to: to)
        }.map { BookingV1.Block($0) }
        return response
    }

    // MARK: Slots

    public func listSlots(
        _ request: BookingV1.ListSlotsRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListSlotsResponse {
        var rules = FieldRules()
        let location = rules.optionalUUID(request.locationId.nonEmpty, "location_id")
        let from = rules.date(request.fromDate, "from_date")
        let to = request.toDate.isEmpty ? from : rules.date(request.toDate, "to_date")
        if let from, let to {
            if to < from { rules.refuse("to_date", "is before from_date") }
            if to > from.adding(days: Self.calendarDays) {
                rules.refuse("to_date", "is more than \(Self.calendarDays) days after from_date")
            }
        }
        guard rules.areKept, let from, let to else { throw rules.refusal }
        let found = try await DomainError.mapping {
            try await slots.list(location: location, from: from, to: to)
        }
        var response = BookingV1.ListSlotsResponse()
        response.slots = found.map { BookingV1.Slot($0) }
        response.asOf = GoogleProtobuf.Timestamp(clock.now())
        return response
    }

    public func updateSlot(
        _ request: BookingV1.UpdateSlotRequest, _ context: ServerContext
    ) async throws -> BookingV1.UpdateSlotResponse {
        var rules = FieldRules()
        let id = rules.uuid(request.slotId, "slot_id")
        if let capacity = request.capacity, !(1...10_000).contains(capacity) {
            rules.refuse("capacity", "is not between 1 and 10000")
        }
        rules.price(request.price, "price")
        var status: Slot.Status?
        switch request.status {
        case .unspecified: break
        case .available: status = .available
        case .unavailable: status = .unavailable
        case .maintenance: status = .maintenance
        default: rules.refuse("status", "is not available, unavailable or maintenance")
        }
        guard rules.areKept, let id else { throw rules.refusal }
        let change = SlotDesk.Change(
            slot: id, status: status, capacity: request.capacity.map { Int($0) },
            price: request.price, ifVersion: request.ifVersion)
        let use = try use(request.idempotencyKey, request, context)
        let response = try await DomainError.mapping { try await slots.update(change, use) }
        committed()
        return response
    }

    public func withdrawSlot(
        _ request: BookingV1.WithdrawSlotRequest, _ context: ServerContext
    ) async throws -> BookingV1.WithdrawSlotResponse {
        let id = try FieldRules.uuid(request.slotId, only: "slot_id")
        let use = try use(request.idempotencyKey, request, context)
        let response = try await DomainError.mapping {
            try await slots.withdraw(id, force: request.force, use)
        }
        committed()
        return response
    }

    // MARK: Pieces

    private func use(
        _ key: String?, _ request: some Message, _ context: ServerContext
    ) throws(DomainError) -> IdempotencyTable.Use? {
        try IdempotencyTable.Use(checked: key, for: request, context, at: clock.now())
    }

    private func perform<Response: Message>(
        _ key: String?, _ request: some Message, _ context: ServerContext,
        _ body: (PostgresTransaction, inout [SQL]) async throws -> Response
    ) async throws -> Response {
        let use = try use(key, request, context)
        return try await DomainError.mapping {
            try await IdempotencyTable.perform(use, on: pool, body)
        }
    }
}

extension BookingV1.Location {
    init(_ location: Location) {
        self.init()
        id = location.id.description
        code = location.code
        name = location.name
        address = location.address
        timeZone = location.timeZone
    }
}

extension BookingV1.Resource {
    init(_ resource: Resource) {
        self.init()
        id = resource.id.description
        name = resource.name
        kind = resource.kind
        locationId = resource.locationID?.description
        capacity = Int32(clamping: resource.capacity ?? 0)
    }
}

extension BookingV1.Block {
    init(_ block: Block) {
        self.init()
        id = block.id.description
        resource = BookingV1.NamedResource(block.resource)
        startTime = GoogleProtobuf.Timestamp(block.startsAt)
        endTime = GoogleProtobuf.Timestamp(block.endsAt)
        reason = block.reason
        createdBy = block.createdBy
    }
}
