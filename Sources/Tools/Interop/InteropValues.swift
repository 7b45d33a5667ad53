import InteropSchema

/// The numbers and texts that interop-test-descriptions.md prescribes.
enum InteropValues {
    static let largePayload = 271_828
    static let largeResponse: Int32 = 314_159
    static let requestSizes = [27_182, 8, 1_828, 45_904]
    static let responseSizes: [Int32] = [31_415, 9, 2_653, 58_979]
    static let initialName = "x-grpc-test-echo-initial"
    static let initialValue = "test_initial_metadata_value"
    static let trailingName = "x-grpc-test-echo-trailing-bin"
    static let trailingValue: [UInt8] = [0xab, 0xab, 0xab]
    static let statusMessage = "test status message"
    static let specialStatusMessage =
        "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"

    static func payload(_ count: Int) -> GrpcTesting.Payload {
        var payload = GrpcTesting.Payload()
        payload.body = [UInt8](repeating: 0, count: count)
        return payload
    }

    static func largeRequest() -> GrpcTesting.SimpleRequest {
        var request = GrpcTesting.SimpleRequest()
        request.responseSize = largeResponse
        request.payload = payload(largePayload)
        return request
    }

    static func status(_ message: String) -> GrpcTesting.EchoStatus {
        var status = GrpcTesting.EchoStatus()
        status.code = 2
        status.message = message
        return status
    }

    static func bool(_ value: Bool) -> GrpcTesting.BoolValue {
        var bool = GrpcTesting.BoolValue()
        bool.value = value
        return bool
    }

    static func parameters(_ size: Int32) -> GrpcTesting.ResponseParameters {
        var parameters = GrpcTesting.ResponseParameters()
        parameters.size = size
        return parameters
    }
}
