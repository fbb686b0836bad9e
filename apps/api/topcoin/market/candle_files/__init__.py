"""Files of candles: CSV and Parquet, read exactly, checked row by row, and taken whole or not at all."""

from topcoin.market.candle_files.reader import CandleFile, read_candle_file

__all__ = ["CandleFile", "read_candle_file"]
