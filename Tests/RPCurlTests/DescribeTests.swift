import BenchSchema
import Protobuf
import Schema
import Testing

@testable import rpcurl

@Suite struct DescribeTests {
    static let pool = DescriptorPool(SchemaFiles.all + BenchFiles.all + WellKnownFiles.all)

    @Test("a service with its HTTP routes and house options") func service() throws {
        let service = try #require(Self.pool.service("janji.booking.v1.Bookings"))
        let method = try #require(service.method(named: "GetBooking"))
        var printer = ProtoPrinter(Self.pool)
        printer.method(method, of: service)
        #expect(
            printer.text == """
                // janji.booking.v1.Bookings.GetBooking, declared in janji/booking/v1/booking.proto
                rpc GetBooking(GetBookingRequest) returns (GetBookingResponse) {
                  option idempotency_level = NO_SIDE_EFFECTS;
                  option (janji.common.v1.access) = ACCESS_ADMIN;
                  option (google.api.http) = {
                    get: "/api/booking/admin/bookings/{booking_id}"
                    additional_bindings {
                      get: "/api/booking/{booking_id}"
                    }
                    additional_bindings {
                      get: "/api/bookings/{booking_id}"
                    }
                  };
                }
                """)
    }

    @Test func streams() throws {
        let service = try #require(Self.pool.service("bench.Bench"))
        var printer = ProtoPrinter(Self.pool)
        printer.service(service)
        #expect(
            printer.text == """
                // bench.Bench, declared in bench/bench.proto
                service Bench {
                  rpc Echo(Msg) returns (Msg);
                  rpc Stream(Msg) returns (stream Msg);
                  rpc PingPong(stream Msg) returns (stream Msg);
                  rpc Book(Booking) returns (Booking);
                }
                """)
    }

    @Test func messageAndEnum() throws {
        var printer = ProtoPrinter(Self.pool)
        printer.message(try #require(Self.pool.message("bench.Booking")))
        printer.enumeration(try #require(Self.pool.enumeration("bench.Status")))
        #expect(
            printer.text == """
                // bench.Booking, declared in bench/bench.proto
                message Booking {
                  string id = 1;
                  string customer_id = 2;
                  string resource_id = 3;
                  int64 start_unix = 4;
                  int64 end_unix = 5;
                  Status status = 6;
                  repeated Line lines = 7;
                  map<string, string> labels = 8;
                  double price = 9;
                  string note = 10;
                  bool confirmed = 11;
                }
                // bench.Status, declared in bench/bench.proto
                enum Status {
                  UNKNOWN = 0;
                  HELD = 1;
                  CONFIRMED = 2;
                  CANCELLED = 3;
                }
                """)
    }

    @Test(
        "oneofs, optional and proto2 fields",
        arguments: [
            ("google.protobuf.Value", "  oneof kind {\n    NullValue null_value = 1;"),
            (
                "google.protobuf.FieldOptions",
                "  optional FieldOptions.CType ctype = 1 [default = STRING];"
            ),
            ("google.protobuf.UninterpretedOption", "    required string name_part = 1;"),
            ("janji.booking.v1.Booking", "  optional string first_choice_slot_id = 4;"),
            ("google.api.HttpRule", "  oneof pattern {"),
        ])
    func details(row: (name: String, text: String)) throws {
        var printer = ProtoPrinter(Self.pool)
        printer.message(try #require(Self.pool.message(row.name)))
        #expect(printer.text.contains(row.text), "\(printer.text)")
    }

    @Test("every template is a request that the parser accepts")
    func templates() throws {
        var count = 0
        for message in Self.pool.files.flatMap(\.allMessages) where !message.isMapEntry {
            for originalNames in [false, true] {
                let json = MessageTemplate.json(message, originalNames: originalNames)
                let text = JSONText.layout(json, compact: originalNames)
                #expect(throws: Never.self, "\(message.fullName)") {
                    try ProtoJSON.parse(text, as: message, pool: Self.pool)
                }
                count += 1
            }
        }
        #expect(count > 100)
    }

    @Test func template() throws {
        let message = try #require(Self.pool.message("bench.Booking"))
        let json = MessageTemplate.json(message, originalNames: true).encoded()
        #expect(
            String(decoding: json, as: UTF8.self)
                == #"{"id":"","customer_id":"","resource_id":"","start_unix":"0","end_unix":"0","#
                + #""status":"UNKNOWN","lines":[{"sku":"","qty":0,"cents":"0"}],"labels":{"key":""},"#
                + #""price":0,"note":"","confirmed":false}"#)
    }

    @Test func indentation() throws {
        let value = try JSONValue.parse(Array(#"{"a":[],"b":{},"c":[1,{"d":"x:{,\""}]}"#.utf8))
        let text = String(decoding: JSONText.layout(value, compact: false), as: UTF8.self)
        #expect(
            text == """
                {
                  "a": [],
                  "b": {},
                  "c": [
                    1,
                    {
                      "d": "x:{,\\""
                    }
                  ]
                }
                """)
    }
}
