import RPC
import Schema

/// Everything else that the timetable never asks the catalogue for.
extension FakeCatalogue {
    func listLocations(
        _ request: BookingV1.ListLocationsRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListLocationsResponse {
        throw RPCError(.unimplemented, "ListLocations")
    }

    func saveLocation(
        _ request: BookingV1.SaveLocationRequest, _ context: ServerContext
    ) async throws -> BookingV1.SaveLocationResponse {
        throw RPCError(.unimplemented, "SaveLocation")
    }

    func deleteLocation(
        _ request: BookingV1.DeleteLocationRequest, _ context: ServerContext
    ) async throws -> BookingV1.DeleteLocationResponse {
        throw RPCError(.unimplemented, "DeleteLocation")
    }

    func listPolicies(
        _ request: BookingV1.ListPoliciesRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListPoliciesResponse {
        throw RPCError(.unimplemented, "ListPolicies")
    }

    func savePolicy(
        _ request: BookingV1.SavePolicyRequest, _ context: ServerContext
    ) async throws -> BookingV1.SavePolicyResponse { throw RPCError(.unimplemented, "SavePolicy") }

    func deletePolicy(
        _ request: BookingV1.DeletePolicyRequest, _ context: ServerContext
    ) async throws -> BookingV1.DeletePolicyResponse {
        throw RPCError(.unimplemented, "DeletePolicy")
    }

    func saveCancellationPolicy(
        _ request: BookingV1.SaveCancellationPolicyRequest, _ context: ServerContext
    ) async throws -> BookingV1.SaveCancellationPolicyResponse {
        throw RPCError(.unimplemented, "SaveCancellationPolicy")
    }

    func listResources(
        _ request: BookingV1.ListResourcesRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListResourcesResponse {
        throw RPCError(.unimplemented, "ListResources")
    }

    func saveResource(
        _ request: BookingV1.SaveResourceRequest, _ context: ServerContext
    ) async throws -> BookingV1.SaveResourceResponse {
        throw RPCError(.unimplemented, "SaveResource")
    }

    func deleteResource(
        _ request: BookingV1.DeleteResourceRequest, _ context: ServerContext
    ) async throws -> BookingV1.DeleteResourceResponse {
        throw RPCError(.unimplemented, "DeleteResource")
    }

    func blockResource(
        _ request: BookingV1.BlockResourceRequest, _ context: ServerContext
    ) async throws -> BookingV1.BlockResourceResponse {
        throw RPCError(.unimplemented, "BlockResource")
    }

    func unblockResource(
        _ request: BookingV1.UnblockResourceRequest, _ context: ServerContext
    ) async throws -> BookingV1.UnblockResourceResponse {
        throw RPCError(.unimplemented, "UnblockResource")
    }

    func listBlocks(
        _ request: BookingV1.ListBlocksRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListBlocksResponse { throw RPCError(.unimplemented, "ListBlocks") }

    func listSlots(
        _ request: BookingV1.ListSlotsRequest, _ context: ServerContext
    ) async throws -> BookingV1.ListSlotsResponse { throw RPCError(.unimplemented, "ListSlots") }

    func updateSlot(
        _ request: BookingV1.UpdateSlotRequest, _ context: ServerContext
    ) async throws -> BookingV1.UpdateSlotResponse { throw RPCError(.unimplemented, "UpdateSlot") }

    func withdrawSlot(
        _ request: BookingV1.WithdrawSlotRequest, _ context: ServerContext
    ) async throws -> BookingV1.WithdrawSlotResponse {
        throw RPCError(.unimplemented, "WithdrawSlot")
    }
}
